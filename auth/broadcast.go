package auth

import "sync"

// broadcast wakes all who wait, each time it rings. The zero value is ready.
type broadcast struct {
	mu sync.Mutex
	c  chan struct{} // closed by the next ring; nil when nobody waits
}

// wait returns a channel that the next ring closes.
func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c == nil {
		b.c = make(chan struct{})
	}
	return b.c
}

func (b *broadcast) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c != nil {
		close(b.c)
		b.c = nil
	}
}
