// Package testkit holds what tests of several rooms need and the program never
// does: addresses to listen on ([FreeAddress]), a log that is read while it is written
// ([Log]), and a check that no goroutine is left behind ([Main]). It knows none of the rooms.
package testkit

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"livemap/internal/child"
)

// FreeAddress returns an address on loopback that nobody listens on, and that
// stays this process's while it lives ([child.FreePort]).
func FreeAddress(t *testing.T) string {
	t.Helper()
	port, err := child.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return child.Address(port)
}

// leakPatience is how long goroutines may take to end after the last test. It
// is spent in whole only where one is left behind.
const leakPatience = 20 * time.Second

// Main runs the tests of a package and ends the process. The package fails when
// a test leaves a goroutine of ours behind.
func Main(m *testing.M) {
	code := m.Run()
	if left := leaked(); left != "" && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines left behind:\n"+left)
		code = 1
	}
	os.Exit(code)
}

// leaked returns the stacks of the goroutines of this module that do not end.
func leaked() string {
	for deadline := time.Now().Add(leakPatience); ; time.Sleep(10 * time.Millisecond) {
		if left := running(); left == "" || time.Now().After(deadline) {
			return left
		}
	}
}

// maxStacks bounds the stacks that are looked through.
const maxStacks = 4 << 20

// running returns the stacks of the goroutines of this module but the caller's.
func running() (stacks string) {
	b := make([]byte, maxStacks)
	for _, stack := range strings.Split(string(b[:runtime.Stack(b, true)]), "\n\n")[1:] {
		if strings.Contains(stack, "livemap/") {
			stacks += stack + "\n\n"
		}
	}
	return stacks
}
