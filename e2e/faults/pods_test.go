package main

import (
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"livemap/e2e/numbered"
)

// patience is for what takes moments on an idle machine.
const patience = 2 * time.Minute

// TestPodsComeAndGo: a pod that is added fills by itself, one that is taken away
// closes its door first and lets go of its streams over the drain, and nobody
// loses anything by either.
func TestPodsComeAndGo(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Kafka, pods and nginx")
	}
	ctx := t.Context()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // nginx's workers are another user
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	sc, err := raise(ctx, log, dir, 7, setting{nodes: 1, streamAge: 4 * time.Second, drain: 10 * time.Second})
	t.Cleanup(func() {
		if err := sc.close(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	old, other, added := sc.pods[0], sc.pods[1], sc.pods[2]
	reload := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if err := sc.proxy.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	reload(sc.proxy.SetPods(old, other))
	r := &report{settings: settings{seed: 7, clients: 60}, began: time.Now()}
	c := gather(ctx, sc, r.settings)
	defer c.disperse()
	if err := c.await(ctx, settle, "have no stream", (*numbered.Client).Connected); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pod that is not yet listed has no streams", func() bool { n, err := added.Streams(ctx); return err == nil && n == 0 })
	producer := numbered.NewProducer(sc.producer(7))
	writing := beside(ctx, producer.Run)

	reload(sc.proxy.SetPods(old, other, added))
	eventually(t, "the added pod has a sixth of the streams", func() bool { n, err := added.Streams(ctx); return err == nil && n >= 10 })

	reload(sc.proxy.SetPods(other, added))
	if err := old.Terminate(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the removed pod closes its door", func() bool {
		conn, err := net.Dial("tcp", old.Addr)
		if err == nil {
			conn.Close() //nolint:errcheck // it was only to see
		}
		return err != nil
	})
	if err := old.Stop(); err != nil {
		t.Error(err)
	}
	if err := writing(); err != nil {
		t.Fatal(err)
	}
	if err := r.judge(ctx, sc, c); err != nil {
		t.Error(err)
	}
	r.print(t.Output())
	if r.goodbyes["rebalance"] == 0 {
		t.Errorf("goodbyes %v: nobody was asked to move", r.goodbyes)
	}
}

func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !yes(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
