package loadtest

// due is something to do for a client at a time. It is void once the client's
// generation has moved on.
type due struct {
	at         int64 // microseconds since the epoch
	client     int32
	generation uint32
	what       action
}

type action uint8

const (
	doConnect action = iota
	doPause          // stop reading
	doRead           // read again
	doLeave
)

// timers is a heap of what is due, the earliest first. Each client has at most
// one of each action for its generation, which bounds it.
type timers struct{ heap []due }

func (t *timers) add(d due) {
	h := append(t.heap, d)
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if h[parent].at <= h[i].at {
			break
		}
		h[parent], h[i] = h[i], h[parent]
		i = parent
	}
	t.heap = h
}

// next returns the earliest time, and false if nothing is due ever.
func (t *timers) next() (int64, bool) {
	if len(t.heap) == 0 {
		return 0, false
	}
	return t.heap[0].at, true
}

// pop takes the earliest.
func (t *timers) pop() due {
	h := t.heap
	first, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && h[child+1].at < h[child].at {
			child++
		}
		if h[i].at <= h[child].at {
			break
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
	t.heap = h
	return first
}
