package hub

import (
	"cmp"
	"slices"
)

// run is a piece of a batch: frames of one segment that lie side by side.
type run struct {
	segment  *segment
	from, to int // indexes of frames; to is the first behind
	end      int // bytes of the batch up to here
}

// place is where a batch was cut short.
type place struct {
	segment *segment
	frame   int    // index of the frame that did not go out whole
	begun   int    // bytes of it that did
	id      []byte // tail of the id of the frame before; nil: it is the batch's first
	own     []byte // tail of the frame's own id

	front, back []byte // what is left of the frame, in two pieces
}

// locate returns where a batch of the view is cut when sent of its bytes went
// out, which are not all. The ring may have dropped the frames since.
func (v *view) locate(b *batch, sent int) (p place) {
	v.ring.mu.RLock() // the newest segment is still written to
	defer v.ring.mu.RUnlock()
	k, _ := slices.BinarySearchFunc(b.runs, sent, func(r run, sent int) int { return cmp.Compare(r.end, sent+1) })
	r := b.runs[k]
	s, base := r.segment, 0
	if k > 0 {
		base = b.runs[k-1].end
		p.id = b.runs[k-1].segment.idTail(b.runs[k-1].to - 1)
	}
	begin := int(s.start(r.from))
	at := begin + sent - base // in the segment
	i, _ := slices.BinarySearchFunc(s.frames[r.from:r.to], at, func(f frame, at int) int { return cmp.Compare(int(f.end), at+1) })
	i += r.from
	if i > r.from {
		p.id = s.idTail(i - 1)
	}
	f := s.frames[i]
	p.segment, p.frame, p.begun, p.own = s, i, at-int(s.start(i)), s.idTail(i)
	// Behind the head of its id a frame is the same for all views.
	whole := slices.Concat(s.data[s.start(i):f.id], v.head[:])
	if p.begun < len(whole) {
		p.front, p.back = whole[p.begun:], s.data[f.id+idHeadText:f.end]
	} else {
		p.back = s.data[at:f.end]
	}
	return p
}
