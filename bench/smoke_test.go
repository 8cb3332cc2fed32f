package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"livemap/bench/trial"
)

// asProgram makes the test binary stand in for the program: trials start it as
// swarm and as publisher.
const asProgram = "BENCH_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// testConfig is a trial of a second or two, in a folder of the tests.
func testConfig(t *testing.T) trial.Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asProgram, "1")
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return trial.Config{
		Root: root, Self: self, Work: filepath.Join(root, ".cache", "bench-test"),
		Rounds: 1, Clients: 50, Few: 400 * time.Millisecond, Quiet: time.Second, QuietRate: 20,
		Overload: 500 * time.Millisecond, OverloadRate: 100, OverloadMore: []float64{200}, HourEvents: 2200, Storm: 60,
		Logger: slog.New(slog.DiscardHandler),
	}
}

// TestEveryServerDelivers plays each server with fifty clients: every event
// arrives at every client once, at either rate.
func TestEveryServerDelivers(t *testing.T) {
	cfg := testConfig(t)
	if err := trial.Build(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	for _, name := range trial.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := cfg
			one.Only = []string{name}
			results, err := trial.Run(t.Context(), one)
			if err != nil {
				t.Fatal(err)
			}
			r := results[0]
			if st := r.Storm; name == "accept" || name == "livemap" {
				if st.Back != one.Storm || st.Missing != 0 || st.Again != 0 || st.Got != st.Owed {
					t.Errorf("storm: %+v", st)
				}
			}
			if name == "accept" {
				return
			}
			if r.Connected != one.Clients {
				t.Errorf("%d of %d clients were served", r.Connected, one.Clients)
			}
			for _, p := range []trial.Phase{r.Few, r.Quiet, r.Overload} {
				if p.Missing != 0 || p.Again != 0 || p.Closed != 0 {
					t.Errorf("missing, again, closed: %d, %d, %d", p.Missing, p.Again, p.Closed)
				}
			}
			if r.Quiet.Delivered != r.Quiet.Offered || r.Quiet.Offered != 1000 {
				t.Errorf("delivered %v of %v events, want 1000", r.Quiet.Delivered, r.Quiet.Offered)
			}
			if ours := name == "livemap" || name == "open"; ours != (r.SentP99 > 0) {
				t.Errorf("sent within %v ms of the arrival", r.SentP99)
			}
			if more := r.Most.PerSecond() > 1.5*r.Overload.PerSecond(); name == "livemap" && !more {
				t.Errorf("at most %v events a second, %v at half the offer", r.Most.PerSecond(), r.Overload.PerSecond())
			}
			if hour := name == "livemap"; hour != (r.HourKiB != 0) {
				t.Errorf("after an hour's events: %v KiB", r.HourKiB)
			}
			if r.Quiet.P99 <= 0 || r.Overload.Delivered == 0 {
				t.Errorf("something was not measured: %+v", r)
			}
		})
	}
	if !slices.Contains(trial.Names(), "livemap") {
		t.Error("ours is not measured")
	}
}

// A crowd from the past is given all that it is owed, and those who listen miss
// nothing meanwhile.
func TestPast(t *testing.T) {
	cfg := testConfig(t)
	cfg.Work += "-past"
	p := trial.PastConfig{Live: 10, Crowd: 60, Records: 600, Quiet: time.Second, Remembered: 2 * time.Second}
	r, err := trial.RunPast(t.Context(), cfg, p)
	if err != nil {
		t.Fatal(err)
	}
	if r.Back != p.Crowd || r.Missing+r.Again+r.Live.Missing+r.Storm.Missing+r.Storm.Again != 0 || r.Got < int64(p.Crowd*p.Records/10) {
		t.Errorf("got %+v", r)
	}
}
