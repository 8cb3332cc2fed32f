package hub

import "container/list"

// room is a budget of bytes for prefixes. Who finds none waits in line, first
// in, first out. There are two lines, for large prefixes may fill only three
// quarters: the small ones, which are most, pass those that wait for much.
//
// A semaphore from a library would not do: what a prefix came to is known only
// once it is made, and may be more than was asked for.
type room struct {
	limit int
	small int // bytes in use
	large int
	lines [2]list.List // of *turn: small, large
}

// turn is a place in a line.
type turn struct {
	n        int
	admitted chan struct{} // closed when the n bytes are counted
	in       bool
	place    *list.Element
}

func newRoom(limit int) room { return room{limit: limit} }

// isSmall says whether n bytes go into the line of the small.
func (r *room) isSmall(n int) bool { return n <= r.limit/256 }

// fits says whether n bytes have room now. One large prefix always has,
// however large and whatever the small ones use.
func (r *room) fits(n int) bool {
	most := r.limit / 4 * 3
	if r.isSmall(n) {
		return r.small+n <= r.limit-min(r.large, most)
	}
	return r.large == 0 || r.large+n <= most && r.small+r.large+n <= r.limit
}

// line returns the line for n bytes.
func (r *room) line(n int) *list.List {
	if r.isSmall(n) {
		return &r.lines[0]
	}
	return &r.lines[1]
}

// wanted says whether anybody waits.
func (r *room) wanted() bool { return r.lines[0].Len()+r.lines[1].Len() > 0 }

// enqueue asks for n bytes, behind those who wait already.
func (r *room) enqueue(n int) *turn {
	t := &turn{n: n, admitted: make(chan struct{})}
	t.place = r.line(n).PushBack(t)
	r.admit()
	return t
}

// leave gives up a turn, and the bytes if it has come.
func (r *room) leave(t *turn) {
	if t.in {
		r.change(t.n, 0)
		return
	}
	r.line(t.n).Remove(t.place)
	r.admit()
}

// change counts bytes anew, and lets in whom it makes room for.
func (r *room) change(from, to int) {
	*r.use(from) -= from
	*r.use(to) += to
	r.admit()
}

// use returns the account that n bytes are on.
func (r *room) use(n int) *int {
	if r.isSmall(n) {
		return &r.small
	}
	return &r.large
}

// admit lets in those at the head of each line for whom there is room, and
// wakes nobody else.
func (r *room) admit() {
	for i := range r.lines {
		for e := r.lines[i].Front(); e != nil; e = r.lines[i].Front() {
			t := e.Value.(*turn)
			if !r.fits(t.n) {
				break
			}
			*r.use(t.n) += t.n
			t.in = true
			r.lines[i].Remove(e)
			close(t.admitted)
		}
	}
}
