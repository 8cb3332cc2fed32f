package kafka

import (
	"context"
	"fmt"
	"time"
)

// next blocks until there is something to deliver.
func (f *follower) next(ctx context.Context) (delivery, error) {
	for {
		if len(f.ready) > 0 {
			d := f.ready[0]
			f.ready[0] = delivery{}
			f.ready = f.ready[1:]
			return d, nil
		}
		f.ready = nil
		wake := f.dispatch(time.Now())
		timer := time.NewTimer(wake)
		select {
		case <-ctx.Done():
			timer.Stop()
			return delivery{}, ctx.Err()
		case a := <-f.answers:
			timer.Stop()
			f.land(a)
			f.dispatch(time.Now())
		case <-timer.C:
		}
	}
}

// landed takes over the answers that have come and asks on: also where none has,
// for partitions that were resumed meanwhile.
func (f *follower) landed(now time.Time) {
	for len(f.ready) == 0 {
		select {
		case a := <-f.answers:
			f.land(a)
		default:
			if f.resumed {
				f.dispatch(now)
			}
			return
		}
	}
	f.dispatch(now)
}

// land takes over an answer. Its partitions are free for the next request, also
// those that were meanwhile led away to another broker or recreated.
func (f *follower) land(a answer) {
	if a.broker >= 0 {
		f.brokers[a.broker].flight = false
	} else {
		f.metaFlight = false
	}
	for _, p := range a.partitions {
		p.flying = false
	}
	a.apply()
}

// current reports whether p is still followed: its topic was not recreated
// while a request about it was under way.
func (f *follower) current(p *partition) bool {
	ps := p.topic.partitions
	return int(p.number) < len(ps) && ps[p.number] == p
}

// dispatch starts every request that can be started and returns how long to
// wait for the next one that cannot yet.
func (f *follower) dispatch(now time.Time) time.Duration {
	f.resumed = false
	wake := f.cfg.refresh
	later := func(at time.Time) {
		if d := at.Sub(now); d > 0 && d < wake {
			wake = d
		}
	}
	if !f.metaFlight {
		if now.Before(f.metaAt) {
			later(f.metaAt)
		} else {
			f.requestMetadata()
		}
	}
	byLeader := map[int32][]*partition{}
	for _, t := range f.topics {
		for _, p := range t.partitions {
			switch {
			case p.leader < 0:
				f.noticeLeaderless(p, now)
				later(p.noLeadT.Add(leaderlessAfter))
			case p.paused, p.flying:
			case now.Before(p.retryAt):
				later(p.retryAt)
			default:
				byLeader[p.leader] = append(byLeader[p.leader], p)
			}
		}
	}
	for id, ps := range byLeader {
		if f.brokers[id] == nil {
			f.brokers[id] = &broker{}
		}
		if b := f.brokers[id]; !b.flight {
			f.requestFrom(id, b, ps)
		}
	}
	return max(wake, time.Millisecond)
}

// requestFrom resolves start offsets first, because a fetch may wait on the
// broker for fetchWait.
func (f *follower) requestFrom(id int32, b *broker, ps []*partition) {
	var resolve, fetch []*partition
	for _, p := range ps {
		if !p.begun {
			resolve = append(resolve, p)
		} else {
			fetch = append(fetch, p)
		}
	}
	b.flight = true
	if len(resolve) > 0 {
		f.requestOffsets(id, resolve)
		return
	}
	b.turn++
	turn := b.turn % len(fetch)
	f.requestRecords(id, append(fetch[turn:len(fetch):len(fetch)], fetch[:turn]...))
}

// fly runs a request about ps in its own goroutine and hands back what to do
// with the answer; done runs in the goroutine that calls next.
func (f *follower) fly(broker int32, ps []*partition, request func(ctx context.Context) (done func())) {
	for _, p := range ps {
		p.flying = true
	}
	f.flights.Add(1)
	go func() {
		defer f.flights.Done()
		done := request(f.ctx)
		select {
		case f.answers <- answer{broker, ps, done}:
		case <-f.ctx.Done():
		}
	}()
}

// fail puts a partition off and asks for metadata: most failures mean that
// leadership has moved, which is over before it is worth a warning.
func (f *follower) fail(p *partition, err error) {
	p.failing++
	p.retryAt = time.Now().Add(backoff(p.failing))
	f.metrics.fetchErrors.WithLabelValues(p.topic.name).Inc()
	f.refreshSoon()
	if p.failing >= failuresToWarn {
		f.sayRarely(fmt.Sprintf("partition %s/%d", p.topic.name, p.number), "partition cannot be read now; retrying",
			"topic", p.topic.name, "partition", p.number, "broker", p.leader, "err", err)
	}
}

// failBroker is fail for all partitions of a request that was not answered.
func (f *follower) failBroker(ps []*partition, err error) {
	for _, p := range ps {
		p.failing++
		p.retryAt = time.Now().Add(backoff(p.failing))
		f.metrics.fetchErrors.WithLabelValues(p.topic.name).Inc()
	}
	f.refreshSoon()
	f.sayRarely(fmt.Sprintf("broker %d", ps[0].leader), "broker does not answer; retrying, other brokers' partitions go on",
		"broker", ps[0].leader, "partitions", len(ps), "err", err)
}

// refreshSoon moves the next metadata request forward, within bounds.
func (f *follower) refreshSoon() {
	soon := time.Now().Add(backoff(f.metaFails + 1))
	if soon.Before(f.metaAt) {
		f.metaAt = soon
	}
}

// sayRarely logs a warning unless the same subject was logged lately. The map
// holds at most one entry per partition and topic followed.
func (f *follower) sayRarely(subject, msg string, args ...any) {
	if now := time.Now(); now.Sub(f.quiet[subject]) >= repeatLogEvery {
		f.quiet[subject] = now
		f.log.Warn(msg, args...)
	}
}

// backoff doubles from backoffFirst to backoffMost.
func backoff(failures int) time.Duration {
	d := backoffFirst
	for i := 1; i < failures && d < backoffMost; i++ {
		d *= 2
	}
	return min(d, backoffMost)
}
