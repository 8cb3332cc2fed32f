package hub

import (
	"runtime/debug"
	measures "runtime/metrics"
	"time"
)

// Between two runs of the collector the heap grows by as much again as GOGC
// says, and what a rush of clients or a lot of records left behind stays with the
// process for minutes. Counted for each client that is as much as all else that
// the hub keeps of it. So the memory is given back once there is enough of it.
const (
	// tidyGrowth is the part of the heap, and tidyBytes the least, by which it must
	// have grown.
	tidyGrowth = 32
	tidyBytes  = 256 << 10
	// tidyRest is the least time between two runs, and tidyShare how many times
	// what the collector worked for the last one: the share of a core that tidying
	// may take. How long it took would not do: on a core that is busy with
	// sending a run takes several times what it works, and what the next seconds
	// leave behind would stay as many times longer.
	tidyRest  = 3 * time.Second
	tidyShare = 200
	// rushClients is how many clients in a second are a rush: what their requests
	// take is used again by those behind them.
	rushClients = 50
)

// tidy gives memory back that nothing is kept in any more.
type tidy struct {
	heap func() int64                // bytes of the heap that are resident
	free func() (work time.Duration) // collects garbage and gives back what is free; work is CPU time
	now  func() time.Time

	least int64     // of heap, since it was given back last
	after time.Time // it is not done before
	came  int       // clients, until the last tick
}

func newTidy() *tidy { return &tidy{heap: residentHeap(), free: freeMemory, now: time.Now} }

// residentHeap returns a function that says how much memory the heap occupies,
// garbage and what is free and not given back included.
func residentHeap() func() int64 {
	names := []string{"/memory/classes/heap/objects:bytes", "/memory/classes/heap/unused:bytes", "/memory/classes/heap/free:bytes"}
	samples := make([]measures.Sample, len(names))
	for i, name := range names {
		samples[i].Name = name
	}
	return func() (bytes int64) {
		measures.Read(samples)
		for _, s := range samples {
			bytes += int64(s.Value.Uint64()) // #nosec G115 -- bytes of memory
		}
		return bytes
	}
}

// freeMemory collects garbage and gives back what is free, and says for how long
// the collector worked.
func freeMemory() time.Duration {
	sample := []measures.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	seconds := func() float64 {
		measures.Read(sample)
		return sample[0].Value.Float64()
	}
	before := seconds()
	debug.FreeOSMemory()
	return time.Duration((seconds() - before) * float64(time.Second))
}

// tick is called once a second, with how many clients came since the beginning.
func (t *tidy) tick(now time.Time, came int) {
	few := came-t.came < rushClients
	t.came = came
	bytes := t.heap()
	if t.least == 0 || bytes < t.least {
		t.least = bytes
	}
	if !few || now.Before(t.after) || bytes-t.least < max(tidyBytes, t.least/tidyGrowth) {
		return
	}
	work := t.free()
	t.least, t.after = t.heap(), t.now().Add(max(tidyRest, tidyShare*work))
}
