package hub

import (
	"time"

	"livemap/orders"
)

// permission is what a client's stream depends on besides its own age. The hub
// knows no tokens: whoever admits a client says when its permission ends, can
// say later that it was withdrawn, and is told when the client is gone.
type permission struct {
	revoked func() bool // nil: never is
	left    func()      // nil: nobody is told
}

// Recheck asks for every client whether its permission was withdrawn, and ends
// the streams of those where it was. They are sent no further record.
func (h *Hub) Recheck() {
	cs := &h.clients
	cs.mu.Lock()
	defer cs.mu.Unlock()
	now := time.Now()
	for c := range cs.all {
		if c.permission.revoked != nil && c.permission.revoked() {
			c.endLocked(CloseRevoked)
			c.cutLocked(now)
		}
	}
}

// cutLocked lets no write of a client whose permission is over take long, or
// one that does not read would be written to for as long as it stalls. It is
// called again each second: a walker may just have set its own deadline. Needs
// clients.mu.
func (c *Client) cutLocked(now time.Time) {
	if reason, _ := c.why.Load().(CloseReason); reason.permissionOver() && c.sink != nil {
		c.sink.SetWriteDeadline(now.Add(cutGrace)) // an error here means it is closed already
	}
}

// permissionOver says whether the stream ended because it may not go on.
func (r CloseReason) permissionOver() bool { return r == CloseExpired || r == CloseRevoked }

// told returns the reason as it stands in the goodbye. A client has the same to
// do whether its permission ran out or was withdrawn: get another.
func (r CloseReason) told() CloseReason {
	if r == CloseRevoked {
		return CloseExpired
	}
	return r
}

// cutOver cuts the writes of all whose permission is over.
func (cs *clients) cutOver(now orders.Time) {
	for c := range cs.all {
		if c.ending {
			c.cutLocked(now.Std())
		}
	}
}
