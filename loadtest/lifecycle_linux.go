package loadtest

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// setGoal has n clients of all loops be there: those that are missing come
// spread over a time, those that are too many leave at once.
func (l *loop) setGoal(n int, over time.Duration) {
	before := l.goal
	l.goal = n
	for i := range l.clients {
		c, k := &l.clients[i], l.global(i)
		c.wanted = k < n
		switch {
		case k >= before && k < n:
			at := l.now
			if n > before {
				at += int64(float64(over.Microseconds()) * float64(k-before) / float64(n-before))
			}
			l.plan(c, doConnect, at)
		case k >= n && k < before:
			l.leave(c)
			l.startOver(c, false)
		}
	}
}

// storm drops all clients at once. They come back with their ids.
func (l *loop) storm() {
	for i := range l.clients {
		if c := &l.clients[i]; c.state == streaming {
			l.leave(c)
			l.plan(c, doConnect, l.now+l.pause(c).Microseconds())
		}
	}
}

// leave ends a client's connection on its own account.
func (l *loop) leave(c *client) {
	if c.state == idle || c.state == done {
		c.generation++ // a connect that is due is void
		return
	}
	if c.joined {
		l.counts[Left]++
	}
	l.closeSocket(c)
	l.hangUp(c)
}

// drop ends a connection that failed, or that the server closed.
func (l *loop) drop(c *client, f *failure) {
	l.closeSocket(c)
	l.hangUp(c)
	l.later(c, f)
}

// later counts the end of a connection and has the client come back.
func (l *loop) later(c *client, f *failure) {
	if f.count == ClosedByServer {
		l.counts[ClosedByServer]++
	} else {
		l.failed(f.count, f.err.Error())
		c.failures = min(c.failures+1, 16)
	}
	if !c.wanted {
		return
	}
	if f.final || c.ended {
		c.state = done
		if f.final && l.refused == nil {
			l.refused = f.err
		}
		return
	}
	wait := l.pause(c)
	if f.count != ClosedByServer {
		wait = max(l.backoff(c), time.Duration(f.retryAfter)*time.Second)
	}
	l.plan(c, doConnect, l.now+wait.Microseconds())
}

// pause returns how long a client waits before it comes back: what the server
// said with retry.
func (l *loop) pause(c *client) time.Duration {
	switch {
	case l.config.Eager:
		return 0
	case c.retry > 0:
		return time.Duration(c.retry) * time.Millisecond
	}
	return defaultRetry
}

// backoff doubles the pause with each failure in a row, and spreads it by up to
// a half, so that clients that failed together do not return together.
func (l *loop) backoff(c *client) time.Duration {
	base := l.pause(c)
	if base <= 0 {
		base = 100 * time.Millisecond
	}
	wait := min(base<<min(max(int(c.failures)-1, 0), 10), maxBackoff)
	return wait + time.Duration(l.random.Int64N(int64(wait)/2+1))
}

// settle plans what a client does of its own accord once it is connected.
func (l *loop) settle(c *client) {
	if c.slow {
		l.plan(c, doPause, l.now+int64(l.random.Float64()*float64(l.config.SlowRead.Microseconds())))
	}
	if l.config.Pattern == Churn && l.config.ChurnRate > 0 {
		// Lifetimes without memory: at any moment the same share leaves.
		life := -math.Log(1-l.random.Float64()) / l.config.ChurnRate
		l.plan(c, doLeave, l.now+int64(min(life, 1e6)*1e6))
	}
}

func (l *loop) plan(c *client, what action, at int64) {
	l.timers.add(due{at: at, client: l.index(c), generation: c.generation, what: what})
}

// runDue does what is due.
func (l *loop) runDue() {
	for {
		at, ok := l.timers.next()
		if !ok || at > l.now {
			return
		}
		d := l.timers.pop()
		c := &l.clients[d.client]
		if c.generation != d.generation {
			continue
		}
		switch d.what {
		case doConnect:
			if c.state == idle && c.wanted {
				l.connect(c, d.at)
			}
		case doPause:
			l.setReading(c, false)
			l.plan(c, doRead, l.now+l.config.SlowPause.Microseconds())
		case doRead:
			l.setReading(c, true)
			l.plan(c, doPause, l.now+l.config.SlowRead.Microseconds())
		case doLeave:
			l.leave(c)
			l.startOver(c, false)
			l.plan(c, doConnect, l.now) // in its place a new one comes
		}
	}
}

// setReading makes a client stop or go on to read.
func (l *loop) setReading(c *client, on bool) {
	events := uint32(0)
	if on {
		events = unix.EPOLLIN | unix.EPOLLRDHUP
	}
	c.paused = !on
	if err := l.watch(unix.EPOLL_CTL_MOD, int(c.fd), events, int(l.index(c))); err != nil {
		l.drop(c, failureOf(err))
	}
}

// cut ends the spans of all clients and begins new ones, so that what was lost
// until now can be judged.
func (l *loop) cut() {
	for i := range l.clients {
		l.accounts.cut(l.clients[i].cells)
	}
}
