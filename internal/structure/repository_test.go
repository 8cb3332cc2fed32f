package structure

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// module is the module path, and the first element of every import path here.
const module = "livemap"

// listed is what the tests need of "go list -json".
type listed struct {
	ImportPath   string
	Dir          string
	Doc          string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// room is the import path below the module: "hub", "kafka/embedded".
func (p listed) room() string { return room(p.ImportPath) }

func room(importPath string) string { return strings.TrimPrefix(importPath, module+"/") }

// ours says whether an import path belongs to this module.
func ours(importPath string) bool {
	return importPath == module || strings.HasPrefix(importPath, module+"/")
}

// root returns the top of the repository.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// packages lists every package of the module, those that do not build included:
// that is for the compiler to report.
func packages(t *testing.T) []listed {
	t.Helper()
	out := output(t, "go", "list", "-e", "-json=ImportPath,Dir,Doc,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports", "./...")
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("decode go list: %v", err)
		}
		all = append(all, p)
	}
}

// tracked lists the files that git tracks or would track, relative to the root.
func tracked(t *testing.T) []string {
	t.Helper()
	var files []string
	for f := range strings.SplitSeq(string(output(t, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")), "\x00") {
		if f != "" {
			files = append(files, f)
		}
	}
	return files
}

func output(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = root(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}
