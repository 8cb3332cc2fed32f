package hub

// held is a permission that clients of a shard have. Those who came with the
// same token share one, so that a slot needs but its number.
type held struct {
	permission Permission
	clients    int32
	revoked    bool
}

// hold gives a client its permission; nil: none.
func (s *shard) hold(c *slot, p Permission) {
	if p == nil {
		return
	}
	i, known := s.byPermission[p]
	if !known {
		var h *held
		i, h = s.permissions.take()
		*h = held{permission: p}
		s.byPermission[p] = i
	}
	c.permission = i
	s.permissions.at(i).clients++
}

// release takes it away, and tells who gave it.
func (s *shard) release(c *slot) {
	if c.permission == none {
		return
	}
	h := s.permissions.at(c.permission)
	permission := h.permission
	h.clients--
	if h.clients == 0 {
		delete(s.byPermission, permission)
		*h = held{}
		s.permissions.give(c.permission)
	}
	c.permission = none
	permission.Left()
}

// recheck asks of each permission whether it was withdrawn, and ends the streams
// that have one that was.
func (s *shard) recheck() {
	some := false
	for i := range s.permissions.all {
		h := &s.permissions.all[i]
		h.revoked = h.permission != nil && h.permission.Revoked()
		some = some || h.revoked
	}
	if !some {
		return
	}
	for i := range s.slab.size() {
		if c := s.slab.at(i); c.fd != none && c.permission != none && s.permissions.at(c.permission).revoked {
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
