package main

import (
	"log/slog"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestShortRun is the fault run as CI has it: a fixed seed, fewer clients, half a
// minute of faults.
func TestShortRun(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Kafka, pods and nginx, and kills them")
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	r, err := run(t.Context(), log, settings{seed: 5, length: 30 * time.Second, clients: 200, reconnects: 4, each: 8 * time.Second})
	if err != nil {
		t.Error(err)
	}
	if r == nil {
		return
	}
	r.print(t.Output())
	for _, on := range targets {
		if r.kills[on] == 0 {
			t.Errorf("nothing was done to the %s", on)
		}
	}
}

// TestRollingRestart: pods restarted one after the other cut every client, lose
// nothing, and leave nobody at a closed door.
func TestRollingRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Kafka, pods and nginx")
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	r, err := run(t.Context(), log, settings{seed: 6, length: 3 * time.Second, clients: 100, reconnects: 1, rolling: true})
	if err != nil {
		t.Fatal(err)
	}
	r.print(t.Output())
	if r.goodbyes["drain"] < 100 || r.sum.Gaps > 0 {
		t.Errorf("goodbyes %v and %d gaps; want everybody to be told of the drain at least once, and none", r.goodbyes, r.sum.Gaps)
	}
}

func TestPlanFollowsFromTheSeed(t *testing.T) {
	const length = 10 * time.Minute
	a := plan(7, length)
	if !reflect.DeepEqual(a, plan(7, length)) {
		t.Error("the same seed gives another plan")
	}
	if reflect.DeepEqual(a, plan(8, length)) {
		t.Error("another seed gives the same plan")
	}
	seen := map[string]bool{}
	for i, f := range a {
		seen[string(f.on)+" "+string(f.kind)] = true
		if f.at < 0 || f.at > length || i > 0 && f.at < a[i-1].at {
			t.Errorf("%s is not in its place", f)
		}
		if f.pause <= 0 || f.pause > 6*time.Second {
			t.Errorf("%s: for longer than anything here may be away", f)
		}
	}
	for _, h := range habits {
		for _, k := range h.kinds {
			if !seen[string(h.on)+" "+string(k)] {
				t.Errorf("no %s of the %s in ten minutes", k, h.on)
			}
		}
	}
}

func TestLastLine(t *testing.T) {
	r := &report{kills: tally{onPod: 3, onLeader: 1}, back: 7}
	r.sum.Received, r.sum.Lost, r.sum.Phantoms = 10, 1, 1
	var out strings.Builder
	r.print(&out)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	const want = "received=10 lost=2 duplicated=0 reordered=0 false_gaps=0 gaps=0 reconnects=7 kills=pod:3,nginx:0,leader:1,aggregator:0"
	if last := lines[len(lines)-1]; last != want {
		t.Errorf("the last line is %q, want %q", last, want)
	}
	if r.broken() == nil {
		t.Error("a run with losses is said to be good")
	}
}

// TestLedgerByClient: the file has a line for each client.
func TestLedgerByClient(t *testing.T) {
	r := &report{settings: settings{ledger: t.TempDir() + "/ledger.csv"}}
	w, done, err := r.openLedger()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("0,1,1,0,0,0,0,0,0,20\n")); err != nil {
		t.Fatal(err)
	}
	if err := done(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.ledger)
	if err != nil || !strings.HasPrefix(string(text), "client,produced,received,") || strings.Count(string(text), "\n") != 2 {
		t.Errorf("the ledger is %q, %v", text, err)
	}
}
