package server

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"livemap/hub"
)

// start serves topics over real sockets without a Kafka.
func start(t *testing.T, config Config) (*Server, string) {
	t.Helper()
	config = config.withDefaults()
	h, err := hub.New(config.hubConfig())
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(config, h)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- h.Run(ctx) }()
	public := &listener{l, s.httpServer(s)}
	served := make(chan error, 1)
	go func() { served <- public.serve() }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		public.close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s, l.Addr().String()
}

func TestSmoke(t *testing.T) {
	s, addr := start(t, Config{})
	if err := s.hub.Publish([]hub.Record{{Topic: 1, Offset: 0, Key: []byte("world"), Value: []byte(`{"v":1}`)}}); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + addr + "/v1/events?topics=metrics,shipments&keys=world")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	go func() {
		for i := range 3 {
			s.hub.Publish([]hub.Record{{Topic: 1, Offset: int64(2*i + 1), Key: []byte("world"), Value: fmt.Append(nil, i)}})
			s.hub.Publish([]hub.Record{{Topic: 1, Offset: int64(2*i + 2), Key: []byte("no"), Value: fmt.Append(nil, i)}})
			time.Sleep(10 * time.Millisecond)
		}
	}()
	sc := bufio.NewScanner(resp.Body)
	for sc.Scan() {
		t.Log(sc.Text())
		if strings.Contains(sc.Text(), "data: 2") {
			break
		}
	}
}
