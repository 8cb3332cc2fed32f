package hub

import "bytes"

// maxSteps is how many writes a client gets in a row before others have their
// turn.
const maxSteps = 8

// progress is what a write came to.
type progress uint8

const (
	more    progress = iota // there is more to send
	settled                 // there is nothing more
	cut                     // the socket is full
	parted                  // the client is gone, or away
)

// flush sends what there is until the socket is full, and says what the client
// waits for then.
func (s *shard) flush(i int32) {
	c := s.slab.at(i)
	for range maxSteps {
		if p := s.step(i, c); p != more {
			s.await(i, c, p)
			return
		}
	}
	s.rank(i, c, busy)
	s.again = append(s.again, ticket{i, c.turn})
}

// await says what a client waits for that was sent all it can be.
func (s *shard) await(i int32, c *slot, p progress) {
	switch p {
	case settled:
		s.rank(i, c, idle)
	case cut:
		if c.state != full {
			c.since = s.now
		}
		s.rank(i, c, full)
	case more, parted:
	}
}

// sendTogether sends g to all who are to be told, with one call.
func (s *shard) sendTogether(g *gathered) {
	if len(s.told) == 1 { // for one the queue is a detour
		s.queue.Empty()
		s.flush(s.told[0])
		return
	}
	if err := s.queue.Send(); err != nil {
		defer s.forgoQueue(err)
	}
	left := s.told[:0] // those for whom there is more
	for k, i := range s.told {
		c := s.slab.at(i)
		n, err := s.queue.Result(k)
		if err != nil {
			s.drop(i, CloseLeft)
			continue
		}
		s.count(c, n)
		p := s.sentFrames(c, g, n)
		s.await(i, c, p)
		if p == more {
			left = append(left, i)
		}
	}
	s.queue.Empty()
	for _, i := range left {
		s.flush(i)
	}
}

// step makes one write.
func (s *shard) step(i int32, c *slot) progress {
	if !c.inRing() {
		return s.stepParts(i, c)
	}
	g := s.gather(c)
	switch g.result {
	case waiting:
		return settled
	case lapped:
		return s.rejoin(i, c)
	}
	n, err := g.send.To(int(c.fd))
	if err != nil {
		s.drop(i, CloseLeft)
		return parted
	}
	s.count(c, n)
	return s.sentFrames(c, g, n)
}

// sentFrames moves a client behind what it was sent: the first n bytes of g.
func (s *shard) sentFrames(c *slot, g *gathered, n int) progress {
	if n < g.send.Bytes() {
		if n > int(c.offset) {
			s.split(c, g, n)
		}
		return cut
	}
	c.offset = 0
	s.frames += g.batch.frames
	s.positions.at(g.end).refs++
	s.move(c, g.end)
	if g.whole {
		return settled
	}
	return more
}

// count notes that a client's socket accepted n bytes.
func (s *shard) count(c *slot, n int) {
	s.bytes += n
	if n > 0 {
		c.since = s.now
	}
}

// parts is a write that is not only frames, in its order.
type parts struct {
	rest    []byte
	chunk   []byte // of the prefix
	final   []byte // the event behind the prefix
	g       *gathered
	skip    int // bytes of g that went out earlier
	goodbye []byte
}

// stepParts makes one write for a client that is not simply in the ring.
func (s *shard) stepParts(i int32, c *slot) progress {
	var p parts
	if c.rest != none {
		p.rest = s.rests.at(c.rest).data
	}
	s.scratch = s.scratch[:0]
	switch {
	case c.said:
	case c.ending && closeReasons[c.reason] == CloseRevoked && c.prefix == none:
		if c.offset > 0 { // in the middle of a frame of which no copy was kept
			s.drop(i, CloseRevoked)
			return parted
		}
	case c.prefix != none:
		s.prefixPart(c, &p)
	default:
		g := s.gather(c)
		switch {
		case g.result == some:
			p.g, p.skip = g, int(c.offset)
		case g.result == lapped && len(p.rest) == 0 && (c.offset > 0 || !c.ending):
			return s.rejoin(i, c)
		}
	}
	if c.ending && !c.said {
		begin := len(s.scratch)
		s.scratch = s.appendGoodbye(s.scratch, c)
		p.goodbye = s.scratch[begin:]
	}
	return s.sendParts(i, c, &p)
}

// prefixPart adds what is left of the prefix, and behind its end a heartbeat
// with the id of the cut. For a client that is to go it is only what is left of
// the event under way.
func (s *shard) prefixPart(c *slot, p *parts) {
	x := s.prefixes.at(c.prefix)
	if c.ending {
		p.chunk = restOfFrame(x.data, int(c.offset))
		return
	}
	p.chunk = x.data[c.offset:]
	s.scratch = appendFinal(s.scratch, appendHeartbeat(nil, s.now), x.id)
	p.final = s.scratch
}

// restOfFrame returns what is missing of the frame that byte n of b is in.
func restOfFrame(b []byte, n int) []byte {
	if n == 0 || bytes.HasSuffix(b[:n], []byte(frameEnd)) {
		return nil
	}
	end := n - 1 + bytes.Index(b[n-1:], []byte(frameEnd)) + len(frameEnd)
	return b[n:end]
}

// sendParts writes p and moves the client behind what went out.
func (s *shard) sendParts(i int32, c *slot, p *parts) progress {
	s.out.Reset()
	s.out.Add(p.rest)
	s.out.Add(p.chunk)
	s.out.Add(p.final)
	if p.g != nil {
		skip := p.skip
		for _, b := range p.g.batch.slices {
			k := min(skip, len(b))
			s.out.Add(b[k:])
			skip -= k
		}
	}
	s.out.Add(p.goodbye)
	if s.out.Bytes() == 0 {
		return settled
	}
	n, err := s.out.To(int(c.fd))
	if err != nil {
		s.drop(i, CloseLeft)
		return parted
	}
	s.count(c, n)
	return s.sentParts(i, c, p, n)
}

// sentParts moves a client behind the first n bytes of p.
func (s *shard) sentParts(i int32, c *slot, p *parts, n int) progress {
	k := min(n, len(p.rest))
	n -= k
	if c.rest != none && !s.consumeRest(c, k) {
		return cut
	}
	k = min(n, len(p.chunk))
	n -= k
	c.offset += uint32(k)
	if k < len(p.chunk) {
		return cut
	}
	if p.final != nil {
		k = min(n, len(p.final))
		n -= k
		s.leavePrefix(c)
		if k < len(p.final) {
			return s.remain(i, c, p.final[k:])
		}
	}
	if p.g != nil {
		k = min(n, p.g.send.Bytes()-p.skip)
		n -= k
		if s.sentFrames(c, p.g, p.skip+k) == cut {
			return cut
		}
	}
	if p.goodbye != nil && n < len(p.goodbye) {
		c.said = true
		return s.remain(i, c, p.goodbye[n:])
	}
	if c.ending {
		s.drop(i, closeReasons[c.reason])
		return parted
	}
	return more
}
