package publish

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"livemap/bench/event"
)

// kept is a target that remembers, and takes its time.
type kept struct {
	stamps []event.Stamp
	takes  time.Duration
}

func (k *kept) Publish(_ context.Context, b []byte) error {
	s, _, _ := event.Scan(b)
	k.stamps = append(k.stamps, s)
	time.Sleep(k.takes)
	return nil
}

func (k *kept) Close() error { return nil }

func TestStampsAreTheSchedule(t *testing.T) {
	for _, takes := range []time.Duration{0, 300 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			begin, to := time.Now(), &kept{takes: takes}
			if err := Run(t.Context(), Plan{Rate: 10, Count: 5, First: 7}, to); err != nil {
				t.Fatal(err)
			}
			for i, s := range to.stamps {
				want := event.Stamp{Number: int64(7 + i), At: begin.Add(time.Duration(i+1) * 100 * time.Millisecond).UnixMicro()}
				if s != want {
					t.Errorf("a target that takes %v: event %d has %+v, want %+v", takes, i, s, want)
				}
			}
			if len(to.stamps) != 5 {
				t.Errorf("%d events, want 5", len(to.stamps))
			}
		})
	}
}

func TestPlans(t *testing.T) {
	err := Plan{}.Validate()
	if err == nil {
		t.Fatal("an empty plan is valid")
	}
	for _, setting := range []string{"rate 0", "count 0", "first 0"} {
		if !strings.Contains(err.Error(), setting) {
			t.Errorf("%q does not name %q", err, setting)
		}
	}
}

func TestLinesAndPosts(t *testing.T) {
	got := make(chan string, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			got <- err.Error()
			return
		}
		defer conn.Close()
		b, _ := io.ReadAll(conn)
		got <- string(b)
	}()
	publishTo(t, "tcp://"+l.Addr().String())
	if s := <-got; s != "one\n" {
		t.Errorf("a line: %q", s)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- r.Method + " " + string(b)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer web.Close()
	publishTo(t, web.URL)
	if s := <-got; s != "POST one" {
		t.Errorf("a post: %q", s)
	}
	if _, err := Open(t.Context(), "ftp://x"); err == nil {
		t.Error("a strange target is opened")
	}
}

func publishTo(t *testing.T, address string) {
	t.Helper()
	target, err := Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Publish(t.Context(), []byte("one")); err != nil {
		t.Error(err)
	}
	if err := target.Close(); err != nil {
		t.Error(err)
	}
}
