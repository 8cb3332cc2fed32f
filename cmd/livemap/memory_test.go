package main

import (
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

// TestKeepWithin: the limit holds while what is in use leaves room below it, and
// for some looks more, and follows once it stays beyond.
func TestKeepWithin(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	before := debug.SetMemoryLimit(-1)
	used := make([]byte, 32<<20)
	runtime.GC()
	for _, c := range []struct{ looks, limit, least, most int64 }{
		{2 * looksBeyond, 1 << 30, 1 << 30, 1 << 30},
		{looksBeyond - 1, 16 << 20, 16 << 20, 16 << 20},
		{looksBeyond, 16 << 20, 35 << 20, math.MaxInt64 - 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- keepWithin(ctx, c.limit) }()
			time.Sleep(time.Duration(c.looks)*time.Second + 500*time.Millisecond)
			if got := debug.SetMemoryLimit(-1); got < c.least || got > c.most {
				t.Errorf("limit %d is kept as %d after %d looks, want %d to %d", c.limit, got, c.looks, c.least, c.most)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	runtime.KeepAlive(used)
	if after := debug.SetMemoryLimit(-1); after != before {
		t.Errorf("the limit is left as %d, was %d", after, before)
	}
}
