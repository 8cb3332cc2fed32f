// Command r3labs serves events with r3labs/sse as its README shows: one stream,
// the default buffer, and no replay, which would keep every event for ever.
package main

import (
	"bytes"
	"strconv"

	"github.com/r3labs/sse/v2"

	"livemap/bench/servers/internal/peer"
)

func main() {
	s := sse.New()
	s.AutoReplay = false
	s.CreateStream("bench")
	number := 0
	peer.Run(s, func(event []byte) error {
		number++
		s.Publish("bench", &sse.Event{ID: []byte(strconv.Itoa(number)), Data: bytes.Clone(event)})
		return nil
	})
}
