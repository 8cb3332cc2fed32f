package hub

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// Memory is given back when there is enough of it, not while many come, and not
// so often that it costs more than its share.
func TestTidy(t *testing.T) {
	const mib = 1 << 20
	begin := time.Unix(1_000_000, 0)
	var at time.Time
	var heap, live int64
	var work time.Duration
	var done []int
	td := &tidy{
		heap: func() int64 { return heap },
		free: func() time.Duration { heap = live; return work },
		now:  func() time.Time { return at },
	}
	came := 0
	for second, step := range []struct {
		heap, live int64
		work       time.Duration
		came       int
	}{
		{heap: 20 * mib, live: 20 * mib},
		{heap: 20*mib + mib/2, live: 20 * mib}, // a thirty-second is more
		{heap: 22 * mib, live: 20 * mib},       // done
		{heap: 24 * mib, live: 20 * mib},       // too soon
		11:                                     {heap: 24 * mib, live: 20 * mib, came: rushClients},
		12:                                     {heap: 24 * mib, live: 20 * mib, work: 100 * time.Millisecond}, // done, and is much work
		24:                                     {heap: 30 * mib, live: 20 * mib},                               // would be its time, had it not been
		33:                                     {heap: 15 * mib, live: 15 * mib},
		34:                                     {heap: 16 * mib, live: 15 * mib}, // done: more than a thirty-second above the least
	} {
		at = begin.Add(time.Duration(second) * time.Second)
		if step.heap == 0 {
			continue
		}
		heap, live, work = step.heap, step.live, step.work
		came += step.came
		td.tick(at, came)
		if heap == live && step.heap != step.live {
			done = append(done, second)
		}
	}
	if fmt.Sprint(done) != "[2 12 34]" {
		t.Errorf("done at %v", done)
	}
}

// What is looked at is there, and counts garbage until it is given back.
func TestTidyLooksAtTheHeap(t *testing.T) {
	td := newTidy()
	td.free()
	before := td.heap()
	if before <= 0 {
		t.Fatalf("a heap of %d bytes", before)
	}
	garbage := make([]byte, 64<<20)
	clear(garbage)
	if grown := td.heap() - before; grown < 48<<20 {
		t.Errorf("64 MiB more are %d", grown)
	}
	runtime.KeepAlive(garbage)
	if work := td.free(); work <= 0 || work > time.Minute {
		t.Errorf("it was work for %v", work)
	}
	if grown := td.heap() - before; grown > 16<<20 {
		t.Errorf("%d bytes were not given back", grown)
	}
}
