// Command gosse serves events with tmaxmax/go-sse as its README shows: a Server
// with its default provider, Joe, and no replayer, which costs least. The answer
// begins at once; left alone, it would wait for the first event.
package main

import (
	"net/http"
	"strconv"

	"github.com/tmaxmax/go-sse"

	"livemap/bench/servers/internal/peer"
)

func main() {
	s := &sse.Server{OnSession: func(w http.ResponseWriter, _ *http.Request) (topics []string, allowed bool) {
		w.Header().Set("Content-Type", "text/event-stream")
		return nil, http.NewResponseController(w).Flush() == nil
	}}
	number := 0
	peer.Run(s, func(event []byte) error {
		number++
		m := &sse.Message{ID: sse.ID(strconv.Itoa(number))}
		m.AppendData(string(event))
		return s.Publish(m)
	})
}
