package hub

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"livemap/feed"
	"livemap/orders"
)

// pageBuilders is how many pages are built at once. Reading may have to wait;
// what needs a processor is bounded further, by builders.encode.
const pageBuilders = 4

// builders build pages for all clients, first come, first served: after each
// page a client is behind all others again. No client builds its own, so that
// one who reads slowly keeps nobody waiting who wants the same.
type builders struct {
	encode chan struct{} // held while a page is encoded: the live have the other processors

	mu      sync.Mutex
	work    *sync.Cond
	running bool
	queue   []func(context.Context) // no more than there are clients
}

func (b *builders) init() {
	b.work = sync.NewCond(&b.mu)
	b.encode = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))
}

// start begins to build. The function that it returns ends it; what is queued
// then is given up.
func (b *builders) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	b.mu.Lock()
	b.running = true
	b.mu.Unlock()
	for range pageBuilders {
		workers.Go(func() {
			for build := b.next(); build != nil; build = b.next() {
				build(ctx)
			}
		})
	}
	return func() {
		cancel()
		b.mu.Lock()
		b.running = false
		b.work.Broadcast()
		b.mu.Unlock()
		workers.Wait()
	}
}

// next waits for something to build; nil ends a worker.
func (b *builders) next() func(context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.running && len(b.queue) == 0 {
		b.work.Wait()
	}
	if len(b.queue) == 0 {
		b.queue = nil
		return nil
	}
	build := b.queue[0]
	b.queue[0] = nil
	b.queue = b.queue[1:]
	return build
}

// submit queues what is to be built. It reports false where nobody builds.
func (b *builders) submit(build func(context.Context)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.running {
		return false
	}
	b.queue = append(b.queue, build)
	b.work.Signal()
	return true
}

// waiting returns how many pages are waited for.
func (b *builders) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue)
}

// page returns the prefix of a client that needs the history, finished or not.
// Whoever gets it releases it. It never waits while the builders run.
func (h *Hub) page(v *view, from origin) *prefix {
	x, mine := h.prefixes.claim(prefixKey{view: v, text: from.text, lapped: from.lapped, end: from.end})
	if !mine {
		h.metrics.shared.Inc()
		return x
	}
	h.mu.Lock()
	v.clients++ // the view stays while somebody works for it
	h.mu.Unlock()
	h.prefixes.share(x)
	build := func(ctx context.Context) {
		if h.prefixes.wanted(x) {
			p := patience{ctx: ctx, warned: true}
			h.build(&p, x, from)
		} else {
			x.err = errHistory
			h.prefixes.giveUp(x)
			h.prefixes.finish(x)
		}
		h.prefixes.release(x)
		h.leave(v)
	}
	if !h.builders.submit(build) {
		build(context.Background())
	}
	return x
}

// enterPast puts the client in front of its first page where it needs the
// history, and reports whether it does.
func (w *walker) enterPast() bool {
	h, from := w.hub, w.origin
	h.mu.Lock()
	defer h.mu.Unlock()
	if from.until == nil && len(h.reaches(w.view, from)) == 0 {
		return false
	}
	at := id{keys: w.view.hash, topics: h.settled(w.view, from)}
	w.cursor.next = notInRing
	w.lastID = at.appendTail(nil)
	return true
}

// turnPage takes the page that follows the client's position, waiting for it
// with a heartbeat now and then. Where it cannot be had for long the client is
// asked to go to another pod.
func (w *walker) turnPage(ctx context.Context) error {
	h := w.hub
	at := w.origin
	at.text = string(w.view.head[:]) + string(w.lastID)
	var err error
	if at.id, err = parseID(at.text); err != nil {
		return err // it was ours
	}
	if err := w.open(); err != nil {
		return err
	}
	beat := time.NewTicker(h.config.Heartbeat)
	defer beat.Stop()
	for begun := time.Now(); ; {
		x := h.page(w.view, at)
		err := w.await(ctx, x.ready, beat.C)
		if err == nil {
			err = x.err
		}
		if err == nil {
			w.origin.lapped = false
			w.take(x)
			return nil
		}
		h.prefixes.release(x)
		if !errors.Is(err, errHistory) {
			return err
		}
		if time.Since(begun) > historyWait {
			return errBehind
		}
		if err := w.rest(ctx, beat.C); err != nil {
			return err
		}
	}
}

// await waits until something is done, with heartbeats meanwhile.
func (w *walker) await(ctx context.Context, done <-chan struct{}, beat <-chan time.Time) error {
	for {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-w.stop:
			return errStopped
		case <-beat:
			if err := w.assure(); err != nil {
				return err
			}
		}
	}
}

// rest waits before another try.
func (w *walker) rest(ctx context.Context, beat <-chan time.Time) error {
	over := make(chan struct{})
	timer := time.AfterFunc(historyRest, func() { close(over) })
	defer timer.Stop()
	return w.await(ctx, over, beat)
}

// assure sends a heartbeat that tells nothing new, so that nobody takes a
// client that waits for a dead one.
func (w *walker) assure() error {
	w.batch.reset()
	w.batch.add(appendAssurance(nil, w.view, w.lastID))
	return w.send()
}

// appendAssurance appends a heartbeat of a client that stands at an id.
func appendAssurance(b []byte, v *view, tail []byte) []byte {
	return appendFinal(b, appendHeartbeat(nil, orders.TimeOf(time.Now())), string(v.head[:])+string(tail))
}

// truncated asks Kafka whether its logs end before the position that a client
// shows and the pod has waited for in vain. If so, the client is told, and its
// origin becomes where it can go on: the newest records of those partitions. It
// reports whether nothing is left to wait for.
func (w *walker) truncated(ctx context.Context) bool {
	h := w.hub
	if h.past == nil {
		return false
	}
	ends := map[int][]int64{}
	for _, number := range w.view.ring.topics {
		uuid, next, err := h.past.find(ctx, number, latest)
		h.mu.Lock()
		same := uuid == h.topics[number].uuid
		h.mu.Unlock()
		if err != nil || !same {
			return false
		}
		ends[number] = next
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	at := &id{keys: w.view.hash, topics: h.settled(w.view, w.origin)}
	var gaps []gap
	for _, number := range w.view.ring.topics {
		t := h.topics[number]
		i := slices.IndexFunc(at.topics, func(had idTopic) bool { return had.name == t.name && had.uuid == t.uuidHash })
		if i < 0 {
			continue
		}
		fresh := false
		for k, next := range at.topics[i].next {
			switch {
			case k >= len(t.next):
				return false // the pod has not heard of it
			case next <= t.next[k]:
				continue
			case k >= len(ends[number]) || next <= ends[number][k]:
				return false // the pod is behind
			}
			to := t.newest(int32(k), w.view)
			gaps = append(gaps, gap{topic: int32(number), partition: int32(k), reason: GapTruncated, from: Absent, to: to})
			at.topics[i].next[k] = to
			fresh = true
		}
		if fresh && t.Kind == feed.State {
			gaps = slices.DeleteFunc(gaps, func(g gap) bool { return g.topic == int32(number) })
			gaps = append(gaps, gap{topic: int32(number), partition: -1, reason: GapTruncated, from: Absent, to: Absent})
			at.topics = slices.Delete(at.topics, i, i+1)
		}
	}
	w.origin.id, w.origin.text = at, string(at.append(nil))
	for _, g := range gaps {
		h.metrics.gap(g.reason)
		w.opener = appendGap(w.opener, h.topics[g.topic].Name, g)
		w.opener = append(append(append(w.opener, idLine...), w.origin.text...), frameEnd...)
	}
	return true
}

// newest returns the offset of the oldest of a partition's newest records, as
// many as a new client is sent, or its end.
func (t *topic) newest(partition int32, v *view) int64 {
	at, left := max(t.next[partition], 0), t.Recent
	for i := len(t.journal.records) - 1; i >= 0 && left > 0; i-- {
		if r := t.journal.records[i]; r.partition == partition && r.hole == 0 && v.wants(r) {
			at = r.offset
			left--
		}
	}
	return at
}

// newer returns the topics that were made again, as the client's id knows and
// Kafka confirms, but the pod has not heard.
func (w *walker) newer(ctx context.Context) (topics []int) {
	h := w.hub
	if w.origin.id == nil || h.past == nil {
		return nil
	}
	for _, number := range w.view.ring.topics {
		h.mu.Lock()
		t := h.topics[number]
		had := w.origin.id.topic(t.name)
		differs := had != nil && t.named && had.uuid != t.uuidHash
		h.mu.Unlock()
		if !differs {
			continue
		}
		if uuid, _, err := h.past.find(ctx, number, latest); err == nil && hashUUID(uuid) == had.uuid {
			topics = append(topics, number)
		}
	}
	return topics
}
