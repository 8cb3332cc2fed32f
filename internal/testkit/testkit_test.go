package testkit

import (
	"net"
	"strings"
	"testing"
)

func TestFreeAddressIsFree(t *testing.T) {
	l, err := net.Listen("tcp", FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// TestLeakedNamesTheGoroutine: while it waits it is found, afterwards not.
func TestLeakedNamesTheGoroutine(t *testing.T) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		<-end
	}()
	if left := running(); !strings.Contains(left, "TestLeakedNamesTheGoroutine") {
		t.Errorf("not found among:\n%s", left)
	}
	close(end)
	<-ended
	if left := leaked(); strings.Contains(left, "TestLeakedNamesTheGoroutine") {
		t.Errorf("still there:\n%s", left)
	}
}
