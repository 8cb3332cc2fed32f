package hub

import (
	"time"

	"livemap/orders"
)

// Permission is what a client's stream depends on besides its own age. The hub
// knows no tokens: whoever admits a client says when its permission ends, is
// asked later whether it was withdrawn, and is told when the client is gone.
//
// Clients may share one. It is kept for each client, so it should be a pointer,
// the same for all who came with the same token. Its methods must be safe for
// concurrent use, and must neither block nor call the hub.
type Permission interface {
	// Revoked says whether the permission was withdrawn. Hub.Recheck asks.
	Revoked() bool
	// Left is called once for each client that was admitted with this permission,
	// when it no longer counts.
	Left()
}

// Recheck asks of every permission whether it was withdrawn, and ends the streams
// that were opened with it. They are sent no further record. For clients of
// shards that happens soon, but not before Recheck returns.
func (h *Hub) Recheck() {
	cs := &h.clients
	cs.mu.Lock()
	defer cs.mu.Unlock()
	now := time.Now()
	for c := range cs.all {
		if c.permission != nil && c.permission.Revoked() {
			c.endLocked(CloseRevoked)
			c.cutLocked(now)
		}
	}
	// Under the lock, so that a client on its way into a shard is met either here
	// or there.
	h.shards.recheck()
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
