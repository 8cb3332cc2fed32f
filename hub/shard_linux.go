package hub

import (
	"context"
	"fmt"
	"sync"
	"time"

	"livemap/hub/internal/poll"
	"livemap/orders"
)

// How often a shard looks at all of its clients for those whose time has come.
// A look costs some nanoseconds a client. A timing wheel would cost a place in a
// list for each, and a move with every byte that a slow client takes.
const (
	sweepInterval = 250 * time.Millisecond
	drainInterval = 10 * time.Millisecond // while draining
)

// togetherClients is how many clients one call sends to. More would save a little
// more; but whoever stops the world waits for the call, which with so many takes
// a quarter of a millisecond on a core of its own, and longer on one that is shared.
const togetherClients = 64

// keptArrivals is the greatest list of arrivals that is used again.
const keptArrivals = 64

// shard is a loop that owns some of the clients: their sockets, their slots and
// all that those refer to. News of a view reach it as one wake-up, however many
// clients wait for it, and one wake-up stands for all that is published until
// the loop comes round: under load it comes round less often, and more goes
// out at once.
type shard struct {
	hub    *Hub
	number int
	load   int // clients; guarded by clients.mu

	// owned by the loop
	slab        slab
	positions   places[position]
	prefixes    places[owed]
	rests       places[rest]
	restBytes   int
	restLimit   int
	audiences   places[*audience]
	byView      map[*view]int32
	permissions places[Permission]
	gathered    gathered
	queue       *poll.Queue // nil: one call for each client
	told        []int32     // clients whose sends are in the queue
	out         poll.Send
	scratch     []byte
	again       []ticket // busy
	spare       []ticket // of again
	now         orders.Time
	nextSweep   orders.Time
	draining    bool
	cutAt       orders.Time // when those still here are cut off; 0: not yet
	frames      int         // sent, not counted yet in the metrics
	bytes       int         // likewise
	waits       waits       // likewise
	quit        bool
	overs       map[int32]func(CloseReason) // by slot; tests only

	mail  mail
	spent mail // what was taken from mail and is used again; owned by the loop

	lap laps
}

// ticket names a client as long as it has its slot.
type ticket struct {
	slot int32
	turn uint32
}

func ticketOf(token uint64) ticket { return ticket{int32(uint32(token)), uint32(token >> 32)} }

func (t ticket) token() uint64 { return uint64(uint32(t.slot)) | uint64(t.turn)<<32 }

// mail is what others leave for the loop. The number of arrivals is bounded by
// that of clients, news by that of views, calls by those of one drain.
type mail struct {
	mu       sync.Mutex
	poller   *poll.Poller // nil: not running
	arrivals []arrival
	news     []news
	calls    []func()
}

// news says that a view has more.
type news struct {
	audience *audience
	arrived  time.Time // when the first record of it came; zero: it is none
}

// post leaves something and wakes the loop.
func (s *shard) post(leave func(*mail)) {
	s.mail.mu.Lock()
	leave(&s.mail)
	p := s.mail.poller
	s.mail.mu.Unlock()
	if p != nil {
		p.Wake()
	}
}

// stir notes that a view has news. It is called by the sequencer, once for all
// records published together.
func (s *shard) stir(a *audience) {
	s.mail.mu.Lock()
	first := !a.stirred
	if first {
		a.stirred = true
		s.mail.news = append(s.mail.news, news{a, s.hub.arrived})
	}
	p := s.mail.poller
	s.mail.mu.Unlock()
	if first && p != nil {
		p.Wake()
	}
}

// take swaps the mail for empty lists.
func (s *shard) take() *mail {
	in, out := &s.mail, &s.spent
	clear(out.arrivals)
	if cap(out.arrivals) > keptArrivals {
		out.arrivals = nil // a rush is over
	}
	clear(out.news)
	clear(out.calls)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.arrivals, out.arrivals = out.arrivals[:0], in.arrivals
	in.news, out.news = out.news[:0], in.news
	in.calls, out.calls = out.calls[:0], in.calls
	for _, n := range out.news {
		n.audience.stirred = false
	}
	return out
}

// run is the shard's life, until quit is posted. It returns an error when the
// kernel no longer lets it wait, which should never be: then nobody looks after
// its clients any more.
func (s *shard) run(p *poll.Poller) error {
	for !s.quit {
		events, err := p.Wait(s.patience())
		if err != nil {
			return fmt.Errorf("shard %d: %w", s.number, err)
		}
		s.now = s.hub.clock.now()
		for _, e := range events {
			s.ready(e)
		}
		s.read(p)
		s.again, s.spare = s.spare[:0], s.again
		for _, t := range s.spare {
			if c := s.slab.at(t.slot); c.turn == t.turn && c.fd != none && c.state == busy {
				s.flush(t.slot)
			}
		}
		s.ungather()
		if s.now >= s.nextSweep {
			s.sweep()
		}
		s.report()
	}
	return nil
}

// openQueue makes one call do for many clients, where the kernel lets it.
func (s *shard) openQueue() {
	if s.hub.config.OneByOne {
		return
	}
	q, err := poll.NewQueue(togetherClients)
	if err != nil {
		if s.number == 0 { // it is the same for all
			s.hub.config.Logger.Info("each send is a call of its own, which costs more: io_uring cannot be used", "reason", err)
		}
		return
	}
	s.queue, s.told = q, make([]int32, 0, togetherClients)
}

// forgoQueue goes on with one call for each client.
func (s *shard) forgoQueue(reason error) {
	s.hub.config.Logger.Warn("each send is a call of its own from now on, which costs more: io_uring failed", "shard", s.number, "reason", reason)
	s.closeQueue()
}

func (s *shard) closeQueue() {
	if s.queue != nil {
		s.queue.Close() //nolint:errcheck // nothing is left to lose
		s.queue = nil
	}
}

// wreck is what is left of a shard that failed: it ends its clients, and those
// that still come, until quit is posted.
func (s *shard) wreck(p *poll.Poller) {
	for !s.quit {
		s.now = s.hub.clock.now()
		s.read(p)
		for i := range s.slab.size() {
			if s.slab.at(i).fd != none {
				s.drop(i, CloseDrain)
			}
		}
		s.ungather()
		time.Sleep(drainInterval)
	}
}

// patience returns how long the loop may wait.
func (s *shard) patience() time.Duration {
	if len(s.again) > 0 {
		return 0
	}
	if s.slab.used == 0 {
		return time.Hour // nothing has a time; what comes wakes the loop
	}
	return s.nextSweep.Sub(s.hub.clock.now())
}

// read works through the mail: arrivals first, for a call that came behind one
// is for it, too.
func (s *shard) read(p *poll.Poller) {
	m := s.take()
	for i := range m.arrivals {
		s.arrive(p, &m.arrivals[i])
	}
	for _, call := range m.calls {
		call()
	}
	for _, n := range m.news {
		s.tell(n.audience, n.arrived)
	}
}

// ready takes what the kernel says of a client.
func (s *shard) ready(e poll.Event) {
	t := ticketOf(e.Token)
	c := s.slab.at(t.slot)
	switch {
	case c.turn != t.turn || c.fd == none: // of one who had the slot before
	case e.Gone:
		s.drop(t.slot, CloseLeft)
	case e.Writable && c.state == full:
		s.flush(t.slot)
	}
}

// report brings the metrics up to date, once for all clients of a turn.
func (s *shard) report() {
	if s.bytes > 0 {
		s.hub.metrics.sent.Add(float64(s.frames))
		s.hub.metrics.bytes.Add(float64(s.bytes))
		s.frames, s.bytes = 0, 0
	}
	if s.waits.clients > 0 {
		s.hub.metrics.delivery.take(&s.waits)
	}
}

// shards are all of a hub's.
type shards struct{ all []*shard }

// init makes the shards; start makes them work.
func (ss *shards) init(h *Hub, n int) {
	for i := range shardCount(n) {
		s := &shard{hub: h, number: i, byView: map[*view]int32{}, overs: map[int32]func(CloseReason){}}
		s.slab.free = none
		s.lap.init()
		ss.all = append(ss.all, s)
	}
	for _, s := range ss.all {
		s.restLimit = maxRestsBytes / len(ss.all)
	}
}

// start begins the loops. The function that it returns ends them; no client may
// be left then. What is received from failed is why a loop ended by itself.
func (ss *shards) start() (stop func(), failed <-chan error, err error) {
	failures := make(chan error, len(ss.all))
	ctx, cancel := context.WithCancel(context.Background())
	var loops sync.WaitGroup
	stop = func() {
		cancel()
		for _, s := range ss.all {
			s.post(func(m *mail) { m.calls = append(m.calls, func() { s.quit = true }) })
		}
		loops.Wait()
	}
	for _, s := range ss.all {
		p, err := poll.New()
		if err != nil {
			stop()
			return nil, nil, fmt.Errorf("shard %d: %w", s.number, err)
		}
		s.openQueue()
		s.mail.mu.Lock()
		s.mail.poller = p
		s.mail.mu.Unlock()
		p.Wake() // for what came before
		loops.Go(func() {
			defer p.Close() //nolint:errcheck // nothing is left to lose
			defer s.closeQueue()
			if err := s.run(p); err != nil {
				failures <- err
				s.wreck(p)
			}
		})
		loops.Go(func() { s.serveLaps(ctx) })
	}
	return stop, failures, nil
}

// drain spreads the ends of all streams over the window.
func (ss *shards) drain(now orders.Time, window time.Duration) {
	for _, s := range ss.all {
		s.post(func(m *mail) { m.calls = append(m.calls, func() { s.drain(now, window) }) })
	}
}

// leave ends the streams of a ring that is over.
func (ss *shards) leave(r *ring) {
	for _, s := range ss.all {
		s.post(func(m *mail) { m.calls = append(m.calls, func() { s.leave(r) }) })
	}
}

// cut ends all streams, and cuts off those that are here after until.
func (ss *shards) cut(until time.Time) {
	for _, s := range ss.all {
		s.post(func(m *mail) { m.calls = append(m.calls, func() { s.cutOff(s.hub.clock.at(until)) }) })
	}
}
