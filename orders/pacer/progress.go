package pacer

import (
	"fmt"
	"io"
	"strconv"
	"time"
)

// drawEvery is how often the progress is drawn.
const drawEvery = time.Second

// progress draws one line on a terminal and rewrites it: orders, rate, position,
// time left. Elsewhere it stays silent: a pipe or a log has no use for it.
type progress struct {
	out   io.Writer // nil: silent
	total int64     // 0: not known
	begin time.Time

	drawn time.Time // when last
	sent  int64     // by then
}

func newProgress(c Config, total int64, now time.Time) *progress {
	p := &progress{total: total, begin: now, drawn: now}
	if c.Terminal {
		p.out = c.Progress
	}
	return p
}

// pause is how long nothing may happen before show must be called again.
func (p *progress) pause() time.Duration {
	if p.out == nil {
		return time.Hour
	}
	return drawEvery
}

// show draws if it is time to.
func (p *progress) show(now time.Time, s Stats) {
	since := now.Sub(p.drawn)
	if p.out == nil || since < drawEvery {
		return
	}
	rate := float64(s.Sent-p.sent) / since.Seconds()
	p.draw(now, s, rate)
	p.drawn, p.sent = now, s.Sent
}

// end draws the last state, with the mean rate, and leaves the line.
func (p *progress) end(s Stats) {
	if p.out == nil {
		return
	}
	rate := 0.0
	if s.Elapsed > 0 {
		rate = float64(s.Sent) / s.Elapsed.Seconds()
	}
	p.draw(p.begin.Add(s.Elapsed), s, rate)
	fmt.Fprintln(p.out)
}

// draw writes the line. That a terminal cannot be written to is no reason to
// stop sending orders.
func (p *progress) draw(now time.Time, s Stats, rate float64) {
	line := fmt.Sprintf("%s orders  %s/s", grouped(s.Sent), grouped(int64(rate+0.5)))
	if s.Sent > 0 {
		line += "  at " + s.Newest.String()
	}
	if p.total > 0 {
		line += fmt.Sprintf("  %d %%", 100*s.Sent/p.total)
		if mean := float64(s.Sent) / now.Sub(p.begin).Seconds(); mean > 0 && s.Sent < p.total {
			left := time.Duration(float64(p.total-s.Sent) / mean * float64(time.Second))
			line += "  " + left.Round(time.Second).String() + " left"
		}
	}
	// Back to the beginning of the line, and clear what is longer (ECMA-48, EL).
	fmt.Fprint(p.out, "\r"+line+"\x1b[K")
}

// grouped writes n, not negative, with commas between thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
