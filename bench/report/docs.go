package report

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Marks in the docs, each a line. What stands between them is replaced.
const (
	beginMark = "<!-- make bench: begin -->"
	endMark   = "<!-- make bench: end -->"
)

var errMarks = errors.New("the marks are not in order")

// Replace writes the report into a file of the docs, between its marks. A file
// without marks, or none, gets them at its end.
func (r Report) Replace(file string) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := replaced(string(old), r.Text())
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

func replaced(old, text string) (string, error) {
	block := beginMark + "\n" + strings.TrimSpace(text) + "\n" + endMark
	begin, end := strings.Index(old, beginMark), strings.Index(old, endMark)
	switch {
	case begin < 0 && end < 0:
		if old == "" {
			old = "# Measurements\n"
		}
		return strings.TrimRight(old, "\n") + "\n\n## The hub beside others (make bench)\n\n" + block + "\n", nil
	case begin < 0 || end < begin:
		return "", errMarks
	}
	return old[:begin] + block + old[end+len(endMark):], nil
}

// ThisMachine says what the measurement ran on.
func ThisMachine() string {
	model := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel := "Linux"
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel += " " + strings.TrimSpace(string(b))
	}
	return fmt.Sprintf("%d × %s, %s, %s", runtime.NumCPU(), model, kernel, runtime.Version())
}

// Commit names what was measured; a "+" says that the working tree differs.
func Commit(ctx context.Context, root string) string {
	out, err := exec.CommandContext(ctx, "git", "-C", root, "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	commit := strings.TrimSpace(string(out))
	if dirty, err := exec.CommandContext(ctx, "git", "-C", root, "status", "--porcelain", "--untracked-files=no").Output(); err != nil || len(dirty) > 0 {
		commit += "+"
	}
	return commit
}
