package hub

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails the package when a test leaves a goroutine of ours behind.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leaked(); left != "" && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines left behind:\n"+left)
		code = 1
	}
	os.Exit(code)
}

// leaked returns the stacks of goroutines in this module, after giving those
// that are on their way out a moment.
func leaked() (left string) {
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		b := make([]byte, 1<<20)
		left = ""
		for _, stack := range strings.Split(string(b[:runtime.Stack(b, true)]), "\n\n")[1:] {
			if strings.Contains(stack, "livemap/") {
				left += stack + "\n\n"
			}
		}
		if left == "" {
			return ""
		}
	}
	return left
}
