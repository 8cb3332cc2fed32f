package structure

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Limits of the house style. Most files and functions stay far below.
const (
	maxFileLines     = 600
	maxFunctionLines = 80
)

// written are the extensions of files that people write; what a machine writes
// (locks, checksums, built pages, golden bytes) may be any size.
var written = map[string]bool{".go": true, ".py": true, ".ts": true, ".svelte": true, ".mjs": true, ".css": true, ".java": true, ".sql": true, ".md": true, "": true}

func TestFilesStaySmall(t *testing.T) {
	for _, name := range tracked(t) {
		if !written[filepath.Ext(name)] || generated(name) || name == "LICENSE" {
			continue
		}
		if n := bytes.Count(content(t, name), []byte("\n")); n > maxFileLines {
			t.Errorf("%s has %d lines, at most %d are allowed: split it where a second thing begins", name, n, maxFileLines)
		}
	}
}

func TestFunctionsStaySmall(t *testing.T) {
	eachGoFile(t, func(name string, set *token.FileSet, f *ast.File) {
		if strings.HasSuffix(name, "_test.go") {
			return // a table of cases may be long
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := set.Position(fn.End()).Line - set.Position(fn.Pos()).Line + 1; n > maxFunctionLines {
				t.Errorf("%s: %s has %d lines, at most %d are allowed", name, fn.Name.Name, n, maxFunctionLines)
			}
		}
	})
}

// unwanted are words that no tracked file may hold. They are put together here
// so that this file does not hold them either.
var unwanted = []struct {
	pattern *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`(^|[\s"'=:(])/(` + strings.Join([]string{"root", "work/main", "work/shared", "work/\\.library", "tmp/setup", "home/[a-z]+"}, "|") + `)/`), "a path of one machine"},
	{regexp.MustCompile(strings.Join([]string{
		`registry\.` + `npmjs`, `files\.` + `pythonhosted`, `\bpypi\.` + `org`, `proxy\.` + `golang\.org`, `sum\.` + `golang\.org`,
		`repo1?\.` + `maven\.apache`, `deb\.` + `debian\.org`, `(static|index)\.` + `crates\.io`,
	}, "|")), "the host of a package registry: clients know theirs"},
	{regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`), "a note to oneself: do it, or file it"},
}

func TestFilesNameNoMachineAndNoRegistry(t *testing.T) {
	for _, name := range tracked(t) {
		if strings.HasPrefix(name, "web/dist/") {
			continue // the sources are checked; minified code holds what it likes
		}
		b := content(t, name)
		if bytes.IndexByte(b, 0) >= 0 {
			continue // not text
		}
		for _, u := range unwanted {
			if at := u.pattern.FindIndex(b); at != nil {
				line := 1 + bytes.Count(b[:at[1]], []byte("\n"))
				t.Errorf("%s:%d: %q is %s", name, line, b[at[0]:at[1]], u.why)
			}
		}
	}
}

func TestModuleReplacesNothing(t *testing.T) {
	for _, name := range tracked(t) {
		if filepath.Base(name) != "go.mod" {
			continue
		}
		if regexp.MustCompile(`(?m)^\s*(replace\b|exclude\b)`).Match(content(t, name)) {
			t.Errorf("%s replaces or excludes a module: others who import it would not get what we test", name)
		}
	}
}

func generated(name string) bool {
	return strings.HasPrefix(name, "web/dist/") || strings.Contains(name, "/testdata/") || strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".sum")
}

// content reads a file, or returns nothing for one that is deleted but not yet
// committed so.
func content(t *testing.T, name string) []byte {
	t.Helper()
	path := filepath.Join(root(t), name)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// eachGoFile parses every tracked Go file.
func eachGoFile(t *testing.T, visit func(name string, set *token.FileSet, f *ast.File)) {
	t.Helper()
	for _, name := range tracked(t) {
		b := content(t, name)
		if filepath.Ext(name) != ".go" || b == nil || strings.Contains(name, "/testdata/") {
			continue
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, b, parser.ParseComments)
		if err != nil {
			t.Errorf("parse %s: %v", name, err)
			continue
		}
		visit(name, set, f)
	}
}
