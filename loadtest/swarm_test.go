package loadtest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestFaultsAreFound: against a server that drops, repeats, delays and leaves out
// records, cuts events and connections, splits characters and stalls, the report
// says exactly what the server did.
func TestFaultsAreFound(t *testing.T) {
	seeds := uint64(10)
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			const clients = 20
			s := startFaulty(t, seed, 400)
			defer s.stop()
			report := untilAllRead(t, s, Config{
				URL: s.url(), Tokens: []string{"secret"}, Connections: clients, Duration: time.Minute, Loops: 1 + int(seed%3), Eager: true, StateTopics: []string{"metrics"},
			})
			s.stop() // what it injected is read below
			got := report.Counts
			for _, c := range []Count{Lost, Duplicated, Reordered, Superseded, GapSlow, Missed, ClosedByServer, Status5xx, BadAnswer} {
				if got[c] != s.faults[c] {
					t.Errorf("%v: found %d, injected %d", c, got[c], s.faults[c])
				}
			}
			for _, c := range []Count{Malformed, Unjudged, Behind, Reset, Silent, TimedOut, Refused, TooLarge, Unreachable} {
				if got[c] != 0 {
					t.Errorf("%v: found %d, nothing of that kind was injected", c, got[c])
				}
			}
			if got[Records] != s.records {
				t.Errorf("%d records, the server sent %d", got[Records], s.records)
			}
		})
	}
}

// TestSwarmWithKernelTime: what a swarm measures by the kernel's clock is whole,
// and nothing came before it was sent.
func TestSwarmWithKernelTime(t *testing.T) {
	s := startTicking(t, 10)
	report, err := Run(t.Context(), Config{URL: s.url, Connections: 10, Duration: time.Second, Loops: 2, KernelTime: true})
	if err != nil {
		t.Fatal(err)
	}
	n := report.Counts
	if got := report.Latency.Count(); got == 0 || got+n[Backlog] != n[Records] || n[Ahead] != 0 || n.Errors() != 0 {
		t.Errorf("%d latencies of %d records, %d backlog, %d from the future, errors %v", got, n[Records], n[Backlog], n[Ahead], report.Errors)
	}
}

// untilAllRead runs a swarm until every client has read the last record.
func untilAllRead(t *testing.T, s *faultyServer, c Config) *Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c.Progress = func(snap Snapshot) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.finished == c.Connections && snap.Totals[Records] >= s.records {
			cancel()
		}
	}
	report, err := Run(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if context.Cause(ctx) == context.DeadlineExceeded {
		t.Fatalf("%d of %d clients read to the end; errors %v", s.finished, c.Connections, report.Errors)
	}
	return report
}

// descriptors returns how many descriptors this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestNothingIsLeft: after a run with storms, churn and slow clients, no
// descriptor and no goroutine is left.
func TestNothingIsLeft(t *testing.T) {
	for _, pattern := range []Pattern{Churn, Reconnect} {
		before, running := descriptors(t), goleak.IgnoreCurrent()
		s := startFaulty(t, 7, 50)
		report, err := Run(t.Context(), Config{
			URL: s.url(), Tokens: []string{"secret"}, Connections: 200, Ramp: 200 * time.Millisecond, Duration: 2 * time.Second, Loops: 2, Eager: true,
			Pattern: pattern, ChurnRate: 0.5, StormEvery: 500 * time.Millisecond, Slow: 0.1, SlowPause: 100 * time.Millisecond, SlowRead: 50 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		s.stop()
		if report.Counts[Left] == 0 || report.Counts[Connected] <= 200 {
			t.Errorf("%s: %d left, %d connected: the pattern did nothing", pattern, report.Counts[Left], report.Counts[Connected])
		}
		if pattern == Reconnect && report.Counts[Resumed] == 0 {
			t.Error("nobody came back with an id")
		}
		if pattern == Churn && report.Counts[Resumed] > report.Counts.Errors()+report.Counts[ClosedByServer] {
			t.Errorf("%d resumed: who comes in place of one that left is new", report.Counts[Resumed])
		}
		if after := descriptors(t); after > before {
			t.Errorf("%s: %d descriptors before, %d after", pattern, before, after)
		}
		goleak.VerifyNone(t, running)
	}
}

func TestRunThatCannotBe(t *testing.T) {
	s := startFaulty(t, 1, 1)
	defer s.stop()
	tests := []struct {
		name string
		c    Config
		want string
	}{
		{"too many for the descriptors", Config{URL: s.url(), Connections: MaxConnections}, "open files"},
		{"no such host", Config{URL: "http://no.such.host.invalid/", Connections: 1}, "resolve no.such.host.invalid"},
		{"nobody listens", Config{URL: "http://127.0.0.1:1/", Connections: 2}, "connection refused"},
		{"port 0", Config{URL: "http://127.0.0.1:0/", Connections: 2}, "port"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.c.Duration = time.Second
			before := descriptors(t)
			if _, err := Run(t.Context(), test.c); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if after := descriptors(t); after > before {
				t.Errorf("%d descriptors before, %d after", before, after)
			}
		})
	}
}

func TestValidateNamesAll(t *testing.T) {
	c := Config{URL: "https://x/", Connections: -1, Ramp: -1, Slow: 2, Pattern: "storm", Tokens: []string{"a b"}, Find: &Find{Growth: 1}}
	err := c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, word := range []string{"https", "connections -1", "ramp", "duration", "slow", "pattern", "token", "growth"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not named in:\n%v", word, err)
		}
	}
}
