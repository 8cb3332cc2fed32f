package server

import "testing"

// TestWalk: without shards the same stream is driven by a goroutine per client.
func TestWalk(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Hub.Shards = -1 })
	s.put("figures", 0, "world", []byte("1"))
	stream := s.stream("/v1/events?topics=figures,events")
	stream.want("figures 1")
	s.put("events", 0, "a", []byte("e0"))
	stream.want("events e0")
	stream.Body.Close()
	eventually(t, "the client is gone", func() bool { return s.hub.Clients() == 0 })
}
