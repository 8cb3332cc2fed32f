package hub

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"livemap/feed"
)

// memorySink keeps what it is given.
type memorySink struct{ bytes.Buffer }

func (s *memorySink) WriteBuffers(b *net.Buffers) (int64, error) { return b.WriteTo(&s.Buffer) }
func (s *memorySink) SetWriteDeadline(time.Time) error           { return nil }

// modelTopics are small enough that everything runs over.
var modelTopics = []Topic{
	{Name: "figures", Kind: feed.State},
	{Name: "events", Kind: feed.Log, Recent: 3, Lapped: LappedCatchUp},
	{Name: "ships", Kind: feed.Log, Recent: 2, Lapped: LappedGap},
}

func modelConfig() Config {
	return Config{
		Topics: modelTopics, RingBytes: segmentBytes, JournalBytes: 1 << 17, PrefixBytes: 1 << 20,
		MaxStreamAge: -1, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// modelClient is a reader and its connection, stepped by hand.
type modelClient struct {
	*reader
	sub    Subscription
	pod    *pod
	walker *walker
	sink   *memorySink
	away   int // steps until it reconnects
}

// connect joins a pod with what the reader last was told.
func (c *modelClient) connect(p *pod) error {
	sub := c.sub
	sub.LastID = c.reconnect()
	client, err := p.Join(sub)
	if err != nil {
		return err
	}
	c.pod, c.sink = p, &memorySink{}
	c.walker = &walker{Client: client, sink: c.sink}
	c.walker.opener = appendHello(nil, "test", time.Second, time.Second, 0, client.topics)
	return c.walker.enter(context.Background())
}

// step lets the walker make up to n writes; it reports whether the client has
// all there is.
func (c *modelClient) step(n int) (idle bool, err error) {
	for range n {
		news, err := c.walker.advance(context.Background())
		if err != nil {
			return false, err
		}
		c.take(c.sink.Next(c.sink.Len()))
		if news != nil {
			return true, nil
		}
	}
	return false, nil
}

// drop ends the connection. The last bytes arrive only in part.
func (c *modelClient) drop(rng *rand.Rand) error {
	if _, err := c.walker.advance(context.Background()); err != nil {
		return err
	}
	b := c.sink.Bytes()
	c.take(b[:rng.IntN(len(b)+1)])
	c.leave()
	return nil
}

func (c *modelClient) leave() {
	if c.walker.prefix != nil {
		c.walker.hub.prefixes.release(c.walker.prefix)
	}
	c.walker.Reject()
}

// subscriptions that the model's clients pick from.
func pick(rng *rand.Rand, keys int) Subscription {
	var s Subscription
	for _, t := range modelTopics {
		if rng.IntN(3) > 0 {
			s.Topics = append(s.Topics, t.Name)
		}
	}
	if s.Topics == nil {
		s.Topics = []string{modelTopics[rng.IntN(3)].Name}
	}
	for range rng.IntN(4) {
		s.Keys = append(s.Keys, fmt.Sprintf("k%d", rng.IntN(keys+2)))
	}
	for range max(rng.IntN(5)-2, 0) { // k1 begins with itself, and k10 with it
		s.Beginnings = append(s.Beginnings, fmt.Sprintf("k%d", rng.IntN(keys+2)))
	}
	if rng.IntN(12) == 0 {
		s.Beginnings = append(s.Beginnings, "k")
	}
	s.Envelope = rng.IntN(3) == 0
	return s
}

// TestModel compares what clients receive with what they are owed, over random
// records, partitions, pods that read in different orders, slow and fast
// clients, evictions, cuts in the middle of an event, and resumes on any pod.
func TestModel(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 15
	}
	totals := map[GapReason]int{}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), 7))
		if err := model(rng, 600, false, nil, totals); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	// The model must have met what it is for.
	for _, reason := range []GapReason{GapSlow, GapExpired} {
		if totals[reason] == 0 {
			t.Errorf("no gap %s in %d seeds", reason, seeds)
		}
	}
	t.Log(totals)
}

// TestModelAway is TestModelHistory while partitions lose their leaders, pods are
// started that know nothing of those, and leaders come back.
func TestModelAway(t *testing.T) {
	seeds := 30
	if testing.Short() {
		seeds = 8
	}
	totals := map[GapReason]int{}
	pinned := 0
	for seed := range seeds {
		for _, history := range []bool{false, true} {
			rng := rand.New(rand.NewPCG(uint64(seed), 11))
			m := &outages{pinned: &pinned}
			if err := model(rng, 600, history, m, totals); err != nil {
				t.Fatalf("seed %d, history %t: %v", seed, history, err)
			}
		}
	}
	if pinned < seeds {
		t.Errorf("only %d clients had a position pinned", pinned)
	}
}

// outages are partitions that lose their leaders in the course of a model.
type outages struct {
	away   map[spot]bool
	pinned *int // clients that were served without a partition
}

// step changes what is away, or starts a pod anew.
func (o *outages) step(w *world, rng *rand.Rand, config Config, pods []*pod, clients []*modelClient) error {
	if o == nil {
		return nil
	}
	for at := range o.away {
		if rng.IntN(60) == 0 {
			delete(o.away, at)
			for _, p := range pods {
				p.regain(at)
			}
		}
	}
	if rng.IntN(40) == 0 {
		topic := rng.IntN(len(w.topics))
		at := spot{topic, rng.IntN(len(w.logs[w.topics[topic].Name]))}
		if o.away == nil {
			o.away = map[spot]bool{}
		}
		o.away[at] = true
		for _, p := range pods {
			p.lose(at)
		}
	}
	if i := rng.IntN(len(pods)); rng.IntN(60) == 0 {
		for _, c := range clients {
			if c.walker != nil && c.pod == pods[i] {
				if err := c.drop(rng); err != nil {
					return err
				}
				c.walker = nil
			}
		}
		p, err := newPod(w, config, o.away)
		if err != nil {
			return err
		}
		p.pageSize = pods[i].pageSize
		pods[i] = p
	}
	for _, c := range clients {
		if c.walker != nil && c.walker.view.ring.isOver() {
			*o.pinned++
			if err := c.drop(rng); err != nil {
				return err
			}
			c.walker = nil
		}
	}
	return nil
}

// end gives all partitions their leaders.
func (o *outages) end(pods []*pod, clients []*modelClient) {
	if o == nil {
		return
	}
	for at := range o.away {
		for _, p := range pods {
			p.regain(at)
		}
	}
	for _, c := range clients {
		if c.walker != nil && c.walker.view.ring.isOver() {
			c.leave()
			c.walker = nil
		}
	}
}

// TestModelHistory is TestModel with a history behind the journals, whose logs
// forget their beginnings in turn, and clients that ask for the past.
func TestModelHistory(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 15
	}
	totals := map[GapReason]int{}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), 9))
		if err := model(rng, 600, true, nil, totals); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	if totals[GapExpired] == 0 || totals[GapSlow] == 0 {
		t.Errorf("the model has not met what it is for: %v", totals)
	}
	t.Log(totals)
}

func model(rng *rand.Rand, steps int, history bool, out *outages, totals map[GapReason]int) error {
	const keys = 12
	w := newWorld(modelTopics, 1+rng.IntN(3))
	var pods []*pod
	var log *worldLog
	config := modelConfig()
	if history {
		log = newWorldLog(w, rng)
		config.History, config.HistoryBytes, config.JournalBytes = log, 1<<16, 1<<16
	}
	for range 2 {
		p, err := newPod(w, config, nil)
		if err != nil {
			return err
		}
		if history {
			p.pageSize = 3000
		}
		pods = append(pods, p)
	}
	var clients []*modelClient
	for range 8 {
		sub := pick(rng, keys)
		slices.Sort(sub.Keys)
		c := &modelClient{reader: newReader(w, sub), sub: sub}
		clients = append(clients, c)
	}
	for step := range steps {
		for range rng.IntN(12) {
			w.grow(rng, keys)
		}
		p := pods[rng.IntN(2)]
		if err := p.pull(w, rng, rng.IntN(20)); err != nil {
			return err
		}
		if rng.IntN(20) == 0 {
			p.beat()
		}
		if history && rng.IntN(30) == 0 {
			log.trim(rng, pods)
		}
		if err := out.step(w, rng, config, pods, clients); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		c := clients[rng.IntN(len(clients))]
		var err error
		switch {
		case c.walker == nil && c.away > 0:
			c.away--
		case c.walker == nil:
			to := pods[rng.IntN(2)]
			if to.behindModel(c) {
				err = to.pullAll(w)
			}
			if err == nil && history && c.events == 0 && len(to.away) == 0 && rng.IntN(2) == 0 {
				if err = to.pullAll(w); err == nil {
					err = c.spanOf(to, rng, w.clock, false)
				}
			}
			if err == nil {
				err = c.connect(to)
			}
		case rng.IntN(6) == 0:
			err = c.drop(rng)
			c.walker = nil
			if rng.IntN(3) == 0 {
				c.away = rng.IntN(60)
				if history {
					c.away *= 4
				}
			}
		default:
			_, err = c.step(1 + rng.IntN(2))
		}
		if err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
	}
	out.end(pods, clients)
	return finish(w, pods, clients, totals)
}

// behindModel says whether the pod must read on before the client joins.
func (p *pod) behindModel(c *modelClient) bool {
	text := string(c.parser.LastEventID())
	if text == "" {
		return c.sub.Span != nil
	}
	last, err := parseID(text)
	if err != nil {
		return false
	}
	topics, err := p.resolve(c.sub.Topics)
	if err != nil {
		return false
	}
	set, err := keySetOf(c.sub)
	if err != nil {
		return false
	}
	v := &view{ring: &ring{topics: topics}, hash: set.hash()}
	if !c.sub.Span.Over() {
		v.ring.pins = p.pinned(topics, set, last)
	}
	return p.ahead(v, last, nil)
}

// finish lets every client have everything, and looks at what it has.
func finish(w *world, pods []*pod, clients []*modelClient, totals map[GapReason]int) error {
	for _, p := range pods {
		if err := p.pullAll(w); err != nil {
			return err
		}
	}
	for i, c := range clients {
		if c.walker == nil {
			if err := c.connect(pods[0]); err != nil {
				return err
			}
		}
		for idle := false; !idle; {
			var err error
			if idle, err = c.step(1); err != nil {
				return err
			}
		}
		c.settle()
		if len(c.errs) > 0 {
			return fmt.Errorf("client %d, asking for %v of %v: %v", i, c.keys, c.topics, c.errs)
		}
		for _, g := range c.gaps {
			for _, reason := range gapReasons {
				if bytes.Contains([]byte(g), []byte(reason)) {
					totals[reason]++
				}
			}
		}
		c.leave()
	}
	for _, p := range pods {
		if p.Clients() != 0 || p.views != 0 {
			return fmt.Errorf("%d clients, %d views left", p.Clients(), p.views)
		}
		for _, own := range p.prefixes.byView {
			for _, x := range own {
				if x.refs != 0 {
					return fmt.Errorf("a prefix has %d readers left", x.refs)
				}
			}
		}
	}
	return nil
}
