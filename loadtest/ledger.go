package loadtest

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Limits of the accounts. What lies beyond them is counted as unjudged.
const (
	maxPartitions = 4096
	maxKeys       = 1 << 16 // of one partition of a state topic
	maxTruthPages = 1 << 18 // 128 MiB: about a billion offsets
	maxKeyCells   = 1 << 25 // 128 MiB: clients times keys of state topics
)

// ledger is what all clients together know of the stream: which partitions
// there are, which offsets of each hold a record, and the newest record of each
// key of a state topic. Its methods are safe for concurrent use.
type ledger struct {
	state     map[string]bool // state topics
	truthRoom atomic.Int64
	keyRoom   atomic.Int64

	mu         sync.Mutex
	partitions map[partitionName]*partition
}

type partitionName struct {
	topic  string
	number int64
}

// partition is one partition of a topic, or one sequence of numbers.
type partition struct {
	index int // of a client's cells
	state bool
	truth *truth
	// broken says that offsets began anew: what was seen before and after cannot
	// be told apart.
	broken atomic.Bool

	mu   sync.Mutex
	keys map[string]*key
	list atomic.Pointer[[]*key] // by index
}

// key is one key of a state topic.
type key struct {
	index   int
	latest  atomic.Int64 // highest offset seen
	deleted atomic.Int64 // the highest offset when the key was last deleted, or -1
}

func newLedger(stateTopics []string) *ledger {
	l := &ledger{state: map[string]bool{}, partitions: map[partitionName]*partition{}}
	for _, t := range stateTopics {
		l.state[t] = true
	}
	l.truthRoom.Store(maxTruthPages)
	l.keyRoom.Store(maxKeyCells)
	return l
}

// partition returns the partition of that name, nil when there are too many.
func (l *ledger) partition(topic string, number int64) *partition {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := partitionName{topic, number}
	if p := l.partitions[name]; p != nil {
		return p
	}
	if len(l.partitions) >= maxPartitions {
		return nil
	}
	p := &partition{index: len(l.partitions), state: l.state[topic], truth: newTruth(&l.truthRoom), keys: map[string]*key{}}
	p.list.Store(&[]*key{})
	l.partitions[name] = p
	return p
}

// of returns all known partitions of a topic.
func (l *ledger) of(topic []byte) []*partition {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []*partition
	for name, p := range l.partitions {
		if name.topic == string(topic) {
			list = append(list, p)
		}
	}
	return list
}

// byIndex returns all partitions, in the order of their indexes.
func (l *ledger) byIndex() []*partition {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.SortedFunc(maps.Values(l.partitions), func(a, b *partition) int { return a.index - b.index })
}

// key returns the key of that name, nil when there are too many.
func (p *partition) key(name string) *key {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.keys[name]; k != nil {
		return k
	}
	if len(p.keys) >= maxKeys {
		return nil
	}
	k := &key{index: len(p.keys)}
	k.deleted.Store(-1)
	k.latest.Store(-1)
	p.keys[name] = k
	list := append(*p.list.Load(), k) // readers of the shorter list do not see the new place
	p.list.Store(&list)
	return k
}

// forget notes that a key was deleted, unless a newer record comes.
func (p *partition) forget(name []byte) {
	p.mu.Lock()
	k := p.keys[string(name)]
	p.mu.Unlock()
	if k != nil {
		k.deleted.Store(k.latest.Load())
	}
}

// saw notes a record of the key.
func (k *key) saw(o int64) {
	for {
		latest := k.latest.Load()
		if o <= latest || k.latest.CompareAndSwap(latest, o) {
			return
		}
	}
}
