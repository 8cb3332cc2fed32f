package aggregate

import (
	"math/rand/v2"
	"testing"

	"livemap/orders"
)

// restarter runs a stream with an aggregator that dies now and then right after
// a Flush: what came after would be lost without trace anyway.
type restarter struct {
	t      *testing.T
	r      *rand.Rand
	stream *stream
	a      *Aggregator
	state  *State
	kills  int
	most   int // as Aggregator.most, 0: as it is
	out    *written
}

func newRestarter(t *testing.T, s *stream, seed uint64) *restarter {
	return &restarter{
		t: t, r: rand.New(rand.NewPCG(seed, 2)), stream: s, a: s.newAggregator(t), state: NewState(), out: newWritten(),
	}
}

// take keeps what a transaction would: records and changes.
func (x *restarter) take(out Output) {
	x.t.Helper()
	x.out.take(x.t, out)
	for _, c := range out.Changes {
		if len(c.Value) > MaxChangeBytes {
			x.t.Errorf("change %s has %d bytes", c.Key, len(c.Value))
		}
		x.state.Apply(c)
	}
}

// kill drops the aggregator, restores another one and reads again what it asks
// for from the events so far; it may be killed again while it does.
func (x *restarter) kill(before []event, wall orders.Time) {
	x.t.Helper()
	x.kills++
	a, err := Restore(x.stream.cfg, x.state)
	if err != nil {
		x.t.Fatal(err)
	}
	if err := a.SetPartitions(x.stream.partitions); err != nil {
		x.t.Fatal(err)
	}
	a.SetClassification(testClassification())
	if x.a = a; x.most > 0 {
		a.most = x.most
		a.paceWatermark()
	}
	positions := a.Positions()
	for _, e := range before {
		p, isNext := positions[e.input.Partition], e.advance
		switch {
		case e.order == nil && !isNext, e.input.Offset < p.Replay, e.input.Offset >= p.Next && e.order != nil, isNext && e.input.Offset > p.Next:
			continue
		}
		e.input.Now = wall
		if v, _ := x.stream.tell(x.t, a, e); e.order != nil && v != Replayed {
			x.t.Errorf("offset %d of partition %d, read again: %s", e.input.Offset, e.input.Partition, v)
		}
		if x.r.IntN(40) == 0 {
			_, out := x.stream.tell(x.t, a, event{flush: true, input: Input{Now: wall}})
			x.take(out)
			if x.r.IntN(2) == 0 {
				x.kill(before, wall)
				return
			}
		}
	}
	if a.marks.replaying != 0 {
		x.t.Errorf("still %d partitions to read again after all was read", a.marks.replaying)
	}
}

// TestRestartAgainstOracle kills the aggregator at random and compares all that
// it wrote before and after with the oracle, for which a restart only forgets
// who was caught up.
func TestRestartAgainstOracle(t *testing.T) {
	t.Parallel()
	kills := 0
	for seed := range seeds(t, 700) {
		s := simulate(seed)
		o, x := newOracle(s), newRestarter(t, s, seed)
		for i, e := range s.events {
			o.tell(e)
			v, out := s.tell(t, x.a, e)
			if e.order != nil {
				x.out.verdicts = append(x.out.verdicts, v)
			}
			x.take(out)
			if e.flush && i < s.tail && x.r.IntN(25) == 0 {
				x.kill(s.events[:i+1], e.input.Now)
				o.restart()
			}
		}
		x.out.acceptCorrections()
		x.out.check(t, o)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		kills += x.kills
	}
	t.Logf("%d restarts", kills)
}

// TestRestartChangesNothing compares a run that is killed with one that is not.
func TestRestartChangesNothing(t *testing.T) {
	t.Parallel()
	for seed := range seeds(t, 500) {
		s := simulate(seed)
		s.cfg.Idle = 1 << 50 // the wall clock must not move the watermark
		plain, a := newWritten(), s.newAggregator(t)
		for _, e := range s.events {
			_, out := s.tell(t, a, e)
			plain.take(t, out)
		}
		x := newRestarter(t, s, seed)
		for i, e := range s.events {
			_, out := s.tell(t, x.a, e)
			x.take(out)
			if e.flush && i < s.tail && x.r.IntN(25) == 0 {
				x.kill(s.events[:i+1], e.input.Now)
			}
		}
		for _, d := range []string{
			diff(withoutRevisions(plain.windows), withoutRevisions(x.out.windows)),
			diff(plain.histories(t), x.out.histories(t)), diff(plain.finals, x.out.finals), diff(plain.of, x.out.of),
			diff(totals(a), totals(x.a)),
		} {
			if d != "" {
				t.Fatalf("seed %d (-without +with restarts):\n%s", seed, d)
			}
		}
	}
}

// totals returns the orders in the totals of each scope.
func totals(a *Aggregator) map[string]int64 {
	m := map[string]int64{}
	for id, t := range a.slide.total {
		m[a.scopes.names[id]] = t.orders
	}
	return m
}
