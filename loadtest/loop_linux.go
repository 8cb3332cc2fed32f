package loadtest

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Sizes of a loop.
const (
	readBytes   = 128 << 10 // the buffer that all clients of a loop read into
	batchEvents = 512       // readiness events taken at once
	mailSize    = 16
)

// rest is how long a loop that goes by the kernel's time lets come what comes.
// Events of a client that come closer together are read at once, and count as of
// the last.
const rest = 20 * time.Millisecond

// Delays before a client comes back.
const (
	defaultRetry = 3 * time.Second  // where the server told none, as browsers do
	maxBackoff   = 30 * time.Second // after failures in a row
)

// loop owns a part of the clients: it connects them, reads for them and closes
// them, all on one goroutine with one epoll instance. Level-triggered, because
// one read into a large buffer then empties most sockets, and those that it
// does not are reported again after all others had their turn.
type loop struct {
	*receiver
	number    int
	config    *Config
	target    *target
	collector *collector
	random    *rand.Rand
	start     time.Time // the clock: its wall time, moved on by the monotonic clock

	wakeMu sync.Mutex // guards wake against its close
	wake   int        // eventfd, -1 once closed

	epoll   int
	buffer  []byte
	events  []unix.EpollEvent
	clients []client // number, number+loops, number+2 loops, …
	goal    int      // clients that should be there, of all loops
	timers  timers
	nextSec int64 // when to hand over measurements
	refused error // why a client that was never connected gave up

	mail chan func() // run by the loop, which is woken for it
	quit bool
	gone chan struct{} // closed when run has returned
}

func newLoop(number int, c *Config, t *target, l *ledger, col *collector, start time.Time) (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(epoll)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	own := (c.Connections - number + c.Loops - 1) / c.Loops
	lp := &loop{
		receiver: newReceiver(c, t, l), number: number, config: c, target: t, collector: col,
		random: rand.New(rand.NewPCG(uint64(start.UnixNano()), uint64(number))), start: start, // #nosec G404 -- spreads load, no secret
		epoll: epoll, wake: wake, buffer: make([]byte, readBytes), events: make([]unix.EpollEvent, batchEvents),
		clients: make([]client, own), mail: make(chan func(), mailSize), gone: make(chan struct{}),
	}
	if err := lp.watch(unix.EPOLL_CTL_ADD, wake, unix.EPOLLIN, -1); err != nil {
		unix.Close(epoll)
		unix.Close(wake)
		return nil, err
	}
	for i := range lp.clients {
		lp.clients[i].index = int32(i)
		lp.clients[i].slow = isSlow(lp.global(i), c.Slow)
	}
	return lp, nil
}

// global returns the number of a client among those of all loops.
func (l *loop) global(i int) int { return i*l.config.Loops + l.number }

// clock returns microseconds since the epoch. A step of the system's clock
// during the run does not move it.
func (l *loop) clock() int64 { return l.start.UnixMicro() + time.Since(l.start).Microseconds() }

// do has the loop run f, and returns once it has. It returns false when the
// loop has ended.
func (l *loop) do(f func()) bool {
	ran := make(chan struct{})
	select {
	case l.mail <- func() { f(); close(ran) }:
	case <-l.gone:
		return false
	}
	l.wakeUp()
	select {
	case <-ran:
		return true
	case <-l.gone:
		return false
	}
}

// wakeUp ends the loop's wait. The lock keeps it from writing to a descriptor
// that the loop has closed and another may have opened.
func (l *loop) wakeUp() {
	l.wakeMu.Lock()
	defer l.wakeMu.Unlock()
	if l.wake >= 0 {
		// The counter of an eventfd cannot overflow by this; it only need be above 0.
		_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// stop has run return.
func (l *loop) stop() { l.do(func() { l.quit = true }) }

// run works until it is told to stop.
func (l *loop) run() error {
	defer close(l.gone)
	defer l.closeAll()
	l.now = l.clock()
	l.nextSec = l.now/1e6*1e6 + 1e6
	last := time.Now()
	for !l.quit {
		before := time.Now()
		l.worked += before.Sub(last)
		n, err := l.wait()
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("epoll: %w", err)
		}
		last = time.Now()
		l.waited += last.Sub(before)
		l.now = l.clock()
		for i := range max(n, 0) {
			l.ready(&l.events[i])
		}
		l.runDue()
		if l.now >= l.nextSec {
			l.handOver()
		}
	}
	return nil
}

// wait returns how many events there are to handle. A loop that goes by the
// kernel's time rests between the first event and reading: otherwise it would run
// on the cores of a server that is still sending the others.
func (l *loop) wait() (int, error) {
	n, err := unix.EpollWait(l.epoll, l.events, l.timeout())
	if l.config.KernelTime && n > 0 && n < len(l.events) {
		time.Sleep(rest)
		return unix.EpollWait(l.epoll, l.events, 0)
	}
	return n, err
}

// timeout returns how long to wait, in milliseconds, rounded up.
func (l *loop) timeout() int {
	until := l.nextSec
	if at, ok := l.timers.next(); ok {
		until = min(until, at)
	}
	return int(max((until-l.clock()+999)/1000, 0))
}

// handOver gives the measurements of the last second away, and looks after
// clients that hear nothing.
func (l *loop) handOver() {
	for i := range l.clients {
		c := &l.clients[i]
		switch {
		case c.state == connecting || c.state == asking || c.state == awaiting:
			if l.now-c.asked > l.config.ConnectTimeout.Microseconds() {
				l.drop(c, &failure{count: TimedOut, err: fmt.Errorf("no answer within %v", l.config.ConnectTimeout)})
			}
		case c.state == streaming && !c.slow:
			if l.now-c.heard > l.config.IdleTimeout.Microseconds() {
				l.drop(c, &failure{count: Silent, err: fmt.Errorf("nothing arrived for %v", l.config.IdleTimeout)})
			}
		}
	}
	// What is handed over belongs to the second that has ended.
	l.collector.take(l.number, l.meter, l.nextSec-1)
	l.nextSec = l.now/1e6*1e6 + 1e6
}

// collectNow gives the measurements of this moment away.
func (l *loop) collectNow() { l.collector.take(l.number, l.meter, l.now) }

// closeAll ends all connections and books. That is not part of what is measured:
// the last interval shows the clients that were there.
func (l *loop) closeAll() {
	connected := l.connected
	for i := range l.clients {
		c := &l.clients[i]
		if c.state != idle && c.state != done {
			l.closeSocket(c)
			l.hangUp(c)
		}
		l.startOver(c, true)
	}
	l.connected = connected
	l.collectNow()
	unix.Close(l.epoll)
	l.wakeMu.Lock()
	unix.Close(l.wake)
	l.wake = -1
	l.wakeMu.Unlock()
}

func (l *loop) closeSocket(c *client) {
	hangUpHard(int(c.fd))
	unix.Close(int(c.fd)) // which takes it out of the epoll instance
}

func (l *loop) watch(op, fd int, events uint32, i int) error {
	if err := unix.EpollCtl(l.epoll, op, fd, &unix.EpollEvent{Events: events, Fd: int32(i)}); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// index returns a client's place in the loop.
func (l *loop) index(c *client) int32 { return c.index }

// ready handles one readiness event.
func (l *loop) ready(e *unix.EpollEvent) {
	if e.Fd < 0 {
		var b [8]byte
		_, _ = unix.Read(l.wake, b[:])
		for {
			select {
			case f := <-l.mail:
				f()
			default:
				return
			}
		}
	}
	c := &l.clients[e.Fd]
	switch {
	case c.state == connecting:
		l.finishConnect(c)
	case c.state == asking:
		l.ask(c)
	case c.paused:
		if e.Events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
			l.drop(c, l.socketError(c))
		}
	case c.state == awaiting || c.state == streaming:
		l.read(c)
	}
}

func (l *loop) socketError(c *client) *failure {
	n, err := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && n != 0 {
		err = unix.Errno(n)
	}
	if err == nil {
		return &failure{count: ClosedByServer, err: io.EOF}
	}
	return failureOf(fmt.Errorf("connection: %w", err))
}

// connect begins a client's connection, due at that time.
func (l *loop) connect(c *client, at int64) {
	i := l.global(int(l.index(c)))
	source := netip.Addr{}
	if n := len(l.target.sources); n > 0 {
		source = l.target.sources[i%n]
	}
	l.counts[Attempts]++
	c.due, c.asked, c.heard = at, l.clock(), l.now
	fd, err := dial(source, l.target.addresses[i%len(l.target.addresses)])
	if err != nil {
		l.later(c, failureOf(err))
		return
	}
	c.fd, c.state = int32(fd), connecting
	if l.config.KernelTime {
		if err := stampTimes(fd); err != nil {
			l.drop(c, failureOf(err))
			return
		}
	}
	if err := l.watch(unix.EPOLL_CTL_ADD, fd, unix.EPOLLOUT, int(l.index(c))); err != nil {
		l.drop(c, failureOf(err))
	}
}

// finishConnect goes on once connecting has ended, well or not.
func (l *loop) finishConnect(c *client) {
	if n, err := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_ERROR); err != nil || n != 0 {
		if err == nil {
			err = unix.Errno(n)
		}
		l.drop(c, failureOf(fmt.Errorf("connect: %w", err)))
		return
	}
	c.state = asking
	l.ask(c)
}

// ask sends what is left of the request.
func (l *loop) ask(c *client) {
	b := l.target.appendRequest(l.buffer[:0], l.global(int(l.index(c))), c.id)
	n, err := unix.Write(int(c.fd), b[c.sent:])
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return
	case err != nil:
		l.drop(c, failureOf(fmt.Errorf("send request: %w", err)))
		return
	}
	if c.sent += int32(n); int(c.sent) < len(b) {
		return
	}
	c.state = awaiting
	if err := l.watch(unix.EPOLL_CTL_MOD, int(c.fd), unix.EPOLLIN|unix.EPOLLRDHUP, int(l.index(c))); err != nil {
		l.drop(c, failureOf(err))
	}
}

// take reads from a client's socket, and notes when what it read came.
func (l *loop) take(c *client) (int, error) {
	if !l.config.KernelTime {
		n, err := unix.Read(int(c.fd), l.buffer)
		l.now = l.clock()
		return n, err
	}
	n, at, err := readStamped(int(c.fd), l.buffer)
	if l.now = at; at == 0 {
		l.now = l.clock()
	}
	return n, err
}

// read takes what has arrived, as far as it fits the buffer.
func (l *loop) read(c *client) {
	n, err := l.take(c)
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return
	case err != nil:
		l.drop(c, failureOf(fmt.Errorf("read: %w", err)))
		return
	case n == 0 && c.state == awaiting:
		l.drop(c, &failure{count: BadAnswer, err: errors.New("the server closed the connection before the answer")})
		return
	case n == 0:
		l.drop(c, &failure{count: ClosedByServer, err: io.EOF})
		return
	}
	before := c.state
	err = l.receive(c, l.buffer[:n])
	var f *failure
	switch {
	case errors.As(err, &f):
		l.drop(c, f)
	case err != nil: // io.EOF: the answer is complete
		l.drop(c, &failure{count: ClosedByServer, err: err})
	case before == awaiting && c.state == streaming:
		l.settle(c)
	}
}
