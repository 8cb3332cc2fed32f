package structure

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// minDocWords is what it takes to say what a package is, where to start and
// what it does not do.
const minDocWords = 12

func TestEveryPackageHasItsDoc(t *testing.T) {
	docs := map[string]string{} // by directory
	eachGoFile(t, func(name string, _ *token.FileSet, f *ast.File) {
		dir := filepath.Dir(name)
		docs[dir] += f.Doc.Text()
	})
	for dir, doc := range docs {
		if n := len(strings.Fields(doc)); n < minDocWords {
			t.Errorf("%s: the package's doc comment has %d words: say what it is, where to start, what it does not do", dir, n)
		}
	}
}

func TestEveryExportedNameHasItsDoc(t *testing.T) {
	eachGoFile(t, func(name string, set *token.FileSet, f *ast.File) {
		if strings.HasSuffix(name, "_test.go") || f.Name.Name == "main" {
			return
		}
		for _, d := range f.Decls {
			for _, missing := range undocumented(d) {
				t.Errorf("%s: %s has no doc comment", set.Position(missing.Pos()), missing.Name)
			}
		}
	})
}

// undocumented returns the exported names that a declaration leaves without a
// comment. Names in a group may share the group's.
func undocumented(d ast.Decl) []*ast.Ident {
	var missing []*ast.Ident
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d.Recv)) && !wellKnown[d.Name.Name] {
			missing = append(missing, d.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			missing = append(missing, undocumentedSpec(d, s)...)
		}
	}
	return missing
}

func undocumentedSpec(d *ast.GenDecl, s ast.Spec) []*ast.Ident {
	var missing []*ast.Ident
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
			missing = append(missing, s.Name)
		}
	case *ast.ValueSpec:
		for _, n := range s.Names {
			if n.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
				missing = append(missing, n)
			}
		}
	}
	return missing
}

// wellKnown methods do what their interface says.
var wellKnown = map[string]bool{"Error": true, "Unwrap": true, "String": true, "Close": true, "Len": true, "Less": true, "Swap": true}

func exportedReceiver(l *ast.FieldList) bool {
	for _, f := range l.List {
		typ := f.Type
		if p, ok := typ.(*ast.StarExpr); ok {
			typ = p.X
		}
		if p, ok := typ.(*ast.IndexExpr); ok {
			typ = p.X
		}
		if id, ok := typ.(*ast.Ident); ok && !id.IsExported() {
			return false
		}
	}
	return true
}
