package loadtest

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// meter holds what one loop measured since it last handed over. Not safe for
// concurrent use.
type meter struct {
	counts    Counts
	latency   *hdrhistogram.Histogram
	connect   *hdrhistogram.Histogram
	resume    *hdrhistogram.Histogram
	errors    map[string]int64
	connected int64 // now
	worked    time.Duration
	waited    time.Duration
}

func newMeter() *meter {
	return &meter{latency: newRecorder(), connect: newRecorder(), resume: newRecorder(), errors: map[string]int64{}}
}

// failed counts a failure, and its text as far as there is room for texts.
func (m *meter) failed(c Count, text string) {
	m.counts[c]++
	addText(m.errors, text, 1)
}

func addText(texts map[string]int64, text string, n int64) {
	if _, known := texts[text]; !known && len(texts) >= maxErrorTexts {
		text = otherErrors
	}
	texts[text] += n
}

// collector brings together what the loops measured. Its methods are safe for
// concurrent use.
type collector struct {
	interval int64 // seconds

	mu        sync.Mutex
	counts    Counts
	latency   Histogram
	connect   Histogram
	resume    Histogram
	points    []Point
	errors    map[string]int64
	connected []int64 // by loop
	worked    []time.Duration
	waited    []time.Duration
	window    Histogram // latencies since the last call of snapshot
	level     Histogram // latencies since the last call of resetLevel

	levelWorked []time.Duration // worked and waited at that call
	levelWaited []time.Duration
}

func newCollector(loops int, interval int64) *collector {
	return &collector{
		interval:  interval,
		errors:    map[string]int64{},
		connected: make([]int64, loops),
		worked:    make([]time.Duration, loops),
		waited:    make([]time.Duration, loops),

		levelWorked: make([]time.Duration, loops),
		levelWaited: make([]time.Duration, loops),
	}
}

// take adds what a loop measured until now, in microseconds since the epoch,
// and empties its meter.
func (c *collector) take(loop int, m *meter, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connected[loop] = m.connected
	c.worked[loop] += m.worked
	c.waited[loop] += m.waited
	p := c.pointLocked(now / 1e6)
	p.count(&m.counts)
	p.Latency.take(m.latency)
	p.Connected = 0
	for _, n := range c.connected {
		p.Connected += n
	}
	c.counts.add(&m.counts)
	for _, h := range []*Histogram{&c.latency, &c.window, &c.level} {
		h.take(m.latency)
	}
	c.connect.take(m.connect)
	c.resume.take(m.resume)
	for text, n := range m.errors {
		addText(c.errors, text, n)
	}
	m.counts, m.worked, m.waited = Counts{}, 0, 0
	m.latency.Reset()
	m.connect.Reset()
	m.resume.Reset()
	clear(m.errors)
}

// pointLocked returns the point of a time. A clock that goes back finds the
// last one.
func (c *collector) pointLocked(seconds int64) *Point {
	at := seconds / c.interval * c.interval
	if n := len(c.points); n == 0 || c.points[n-1].At < at {
		c.points = append(c.points, Point{At: at})
	}
	return &c.points[len(c.points)-1]
}

// judged adds counts that are known only at the end.
func (c *collector) judged(n *Counts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.add(n)
}

// busy returns the share of time that the busiest loop did not wait.
func (c *collector) busy() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busyLocked()
}

func (c *collector) busyLocked() float64 {
	most := 0.0
	for i, w := range c.worked {
		if all := w + c.waited[i]; all > 0 {
			most = max(most, float64(w)/float64(all))
		}
	}
	return most
}

// Snapshot is the state of a run, for those who watch it.
type Snapshot struct {
	Elapsed   time.Duration
	Phase     string // ramp, steady, churn, reconnect, level 1200, end
	Wanted    int64  // clients
	Connected int64
	Totals    Counts
	Window    Histogram // latencies since the snapshot before
	Latency   Histogram // latencies of the whole run
	Busy      float64   // as in Machine
	Trouble   string    // the most frequent text of an error; empty: none
}

// snapshot fills in what the collector knows, and begins a new window.
func (c *collector) snapshot(s *Snapshot) {
	c.snapshotTotals(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Window, c.window = c.window, Histogram{}
	_ = s.Latency.add(&c.latency) // one geometry: it always adds up
}

// snapshotTotals fills in what needs no histogram.
func (c *collector) snapshotTotals(s *Snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Totals = c.counts
	for _, n := range c.connected {
		s.Connected += n
	}
	s.Busy = c.busyLocked()
	most := int64(0)
	for text, n := range c.errors {
		if n > most || n == most && text < s.Trouble {
			s.Trouble, most = text, n
		}
	}
}

// resetLevel returns the latencies since its last call, and how busy the
// busiest loop was meanwhile.
func (c *collector) resetLevel() (Histogram, float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.level
	c.level = Histogram{}
	busy := 0.0
	for i := range c.worked {
		worked, waited := c.worked[i]-c.levelWorked[i], c.waited[i]-c.levelWaited[i]
		if all := worked + waited; all > 0 {
			busy = max(busy, float64(worked)/float64(all))
		}
	}
	copy(c.levelWorked, c.worked)
	copy(c.levelWaited, c.waited)
	return h, busy
}

// report fills in what the collector knows.
func (c *collector) report(p *Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.Counts, p.Latency, p.Connect, p.Resume = c.counts, c.latency, c.connect, c.resume
	p.IntervalSeconds, p.Points, p.Errors = c.interval, c.points, c.errors
}
