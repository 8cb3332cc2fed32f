// Command nethttp serves events the way of the article that livemap follows: a
// goroutine of net/http and a channel for each client, and one broker that hands
// every event to every channel.
//
// An event is put into its frame once, for all. The channels hold some events,
// so that the broker does not wait for each client's turn; when one is full, it
// waits, for nothing else here could tell the client what it lost.
package main

import (
	"fmt"
	"net/http"

	"livemap/bench/servers/internal/peer"
)

// channelEvents is what a client's channel holds.
const channelEvents = 64

// broker knows the clients. Its loop alone touches them.
type broker struct {
	events chan []byte
	enter  chan chan []byte
	leave  chan chan []byte
}

func (b *broker) run() {
	clients := map[chan []byte]struct{}{}
	for {
		select {
		case c := <-b.enter:
			clients[c] = struct{}{}
		case c := <-b.leave:
			delete(clients, c)
		case frame := <-b.events:
			for c := range clients {
				c <- frame
			}
		}
	}
}

// ServeHTTP streams to one client until it goes.
func (b *broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	flusher, ok := w.(http.Flusher)
	if !ok {
		http.Error(w, "no streaming", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	flusher.Flush()
	frames := make(chan []byte, channelEvents)
	b.enter <- frames
	defer b.drop(frames)
	for {
		select {
		case <-r.Context().Done():
			return
		case frame := <-frames:
			if _, err := w.Write(frame); err != nil {
				return
			}
			flusher.Flush()
		}
	}
}

// drop leaves, and takes meanwhile what the broker may be waiting to hand over.
func (b *broker) drop(frames chan []byte) {
	for {
		select {
		case b.leave <- frames:
			return
		case <-frames:
		}
	}
}

func main() {
	b := &broker{events: make(chan []byte), enter: make(chan chan []byte), leave: make(chan chan []byte)}
	go b.run()
	number := 0
	peer.Run(b, func(event []byte) error {
		number++
		b.events <- fmt.Appendf(nil, "id: %d\ndata: %s\n\n", number, event)
		return nil
	})
}
