package structure

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pure rooms know no socket, clock, broker or file: the same input gives the
// same bytes, on every machine and at every hour.
var pure = []string{"orders", "feed", "sse", "aggregate"}

// impure are the imports and clock are the functions of package time that such
// a room does without.
var (
	impure = []string{"net", "net/http", "os", "os/exec", "os/signal", "io/fs", "path/filepath", "syscall", "golang.org/x/sys/unix", "math/rand"}
	clock  = []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"}
)

func TestPureRoomsKnowNoWorld(t *testing.T) {
	eachGoFile(t, func(name string, set *token.FileSet, f *ast.File) {
		if strings.HasSuffix(name, "_test.go") || !slices.Contains(pure, filepath.ToSlash(filepath.Dir(name))) {
			return
		}
		for _, i := range f.Imports {
			if path := strings.Trim(i.Path.Value, `"`); slices.Contains(impure, path) {
				t.Errorf("%s imports %s: this room knows no socket, clock, broker or file", set.Position(i.Pos()), path)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && isName(s.X, "time") && slices.Contains(clock, s.Sel.Name) {
				t.Errorf("%s: time.%s: the time is given to this room, it does not look", set.Position(n.Pos()), s.Sel.Name)
			}
			return true
		})
	})
}

// TestNothingIsSkipped: a test that skips itself where something is missing
// passes for ever on the machine that lacks it. Only "go test -short" may skip.
func TestNothingIsSkipped(t *testing.T) {
	eachGoFile(t, func(name string, set *token.FileSet, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			if i, ok := n.(*ast.IfStmt); ok && isCall(i.Cond, "testing", "Short") {
				return false
			}
			if s, ok := n.(*ast.SelectorExpr); ok && (isName(s.X, "t") || isName(s.X, "b") || isName(s.X, "f")) && strings.HasPrefix(s.Sel.Name, "Skip") {
				t.Errorf("%s: %s outside \"if testing.Short()\"", set.Position(n.Pos()), s.Sel.Name)
			}
			return true
		})
	})
}

func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

func isCall(e ast.Expr, pkg, name string) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	s, ok := call.Fun.(*ast.SelectorExpr)
	return ok && isName(s.X, pkg) && s.Sel.Name == name
}
