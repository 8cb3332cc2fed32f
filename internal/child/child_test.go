package child_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"livemap/internal/child"
)

const patience = 30 * time.Second

func TestOutputAndEnd(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	for _, word := range []string{"one", "two"} {
		p, err := child.Options{Environment: []string{"WORD=" + word}}.Start(log, "sh", "-c", "echo $WORD; exit 3")
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Err(); err == nil || !strings.Contains(err.Error(), "3") {
			t.Errorf("it ended with %v, want exit status 3", err)
		}
		if p.Running() {
			t.Error("it runs after its end")
		}
	}
	if out, err := os.ReadFile(log); err != nil || string(out) != "one\ntwo\n" {
		t.Errorf("the log says %q, %v", out, err)
	}
}

func TestWhatIgnoresASignalIsKilled(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	p, err := child.Start(log, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if out, _ := os.ReadFile(log); strings.Contains(string(out), "ready") {
			break
		}
		if time.Since(began) > patience {
			t.Fatal("it says nothing")
		}
	}
	if p.End(syscall.SIGTERM, 50*time.Millisecond) {
		t.Error("a signal that it ignores ended it")
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("a signal to a process that is gone: %v", err)
	}
}

func TestWhatIsMissingIsAnError(t *testing.T) {
	if _, err := child.Start(filepath.Join(t.TempDir(), "log"), "livemap-no-such-program"); err == nil {
		t.Error("a program that is not there was started")
	}
}
