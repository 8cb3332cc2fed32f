package hub

// hold gives a client its permission; nil: none. Those who came with the same
// token could share a place. But a map to find it by takes four times what a
// place does, and most tokens are one client's.
func (s *shard) hold(c *slot, p Permission) {
	if p == nil {
		return
	}
	i, place := s.permissions.take()
	*place = p
	c.permission = i
}

// release takes it away, and tells who gave it.
func (s *shard) release(c *slot) {
	if c.permission == none {
		return
	}
	place := s.permissions.at(c.permission)
	p := *place
	*place = nil
	s.permissions.give(c.permission)
	c.permission = none
	p.Left()
}

// recheck asks of each permission whether it was withdrawn, and ends the streams
// of those that were.
func (s *shard) recheck() {
	for i := range s.slab.size() {
		if c := s.slab.at(i); c.fd != none && c.permission != none && (*s.permissions.at(c.permission)).Revoked() {
			s.end(i, CloseRevoked)
		}
	}
}

// recheck has all shards do so.
func (ss *shards) recheck() {
	for _, s := range ss.all {
		s.post(func(m *mail) { m.calls = append(m.calls, s.recheck) })
	}
}
