package report

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"livemap/bench/trial"
)

// sample has two rounds of the floor, two peers and ours; a peer failed once.
func sample() Report {
	phase := func(cpu, p99, perSecond, share float64) (quiet, overload trial.Phase) {
		quiet = trial.Phase{Seconds: 8, Offered: 100, Delivered: 100, CPUMicros: cpu, P99: p99}
		overload = trial.Phase{Seconds: 2, Offered: 2 * perSecond / share, Delivered: 2 * perSecond, P99: 100}
		return quiet, overload
	}
	result := func(server string, round int, kib, cpu, p99, perSecond, share float64) trial.Result {
		r := trial.Result{Server: server, Round: round, Connected: 10, IdleKiB: kib, AfterKiB: kib / 2}
		r.Quiet, r.Overload = phase(cpu, p99, perSecond, share)
		r.Most = r.Overload
		return r
	}
	return Report{
		Config: trial.Config{Rounds: 2, Clients: 10, Pinned: true},
		Results: []trial.Result{
			result("floor", 1, 0, 10, 100, 150_000, 0.15), result("floor", 2, 0, 20, 200, 150_000, 0.15),
			result("nethttp", 1, 24, 16, 900, 90_000, 0.09), result("nethttp", 2, 24, 32, 900, 90_000, 0.09),
			result("gosse", 2, 20, 40, 500, 40_000, 0.04),
			result("livemap", 1, 0.4, 11, 110, 990_000, 0.99), result("livemap", 2, 0.5, 24, 200, 980_000, 0.98),
		},
	}
}

func TestLastLine(t *testing.T) {
	const want = "bench kib_per_client=0.45 cpu_ratio=1.15 p99_ratio=1.05 overload_per_s=985000 overload_share=0.985"
	if got := sample().LastLine(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := (Report{}).LastLine(); !strings.Contains(got, "cpu_ratio=NaN") {
		t.Errorf("of nothing: %s", got)
	}
}

func TestTextComparesRoundByRound(t *testing.T) {
	text := sample().Text()
	for _, want := range []string{
		"| **livemap serve, a token each, through Kafka** | 0.45 (0.40–0.50) |",
		"| CPU per event over the floor's | 1.15 (1.10–1.20) | at most 1.20 |",
		"| CPU per event over the best peer's (nethttp) | 0.72 (0.69–0.75) | at most 0.75 |",
		"| most events delivered over the best peer's (nethttp) | 10.94 (10.89–11.00) | at least 8 |",
		"| tmaxmax/go-sse 0.12 | 20.00 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "Mercure") {
		t.Error("a server that took no part has a row")
	}
	if strings.Contains(text, "Quick") {
		t.Error("the measurement is called quick")
	}
}

func TestFaultsAddUp(t *testing.T) {
	r := sample()
	r.Results[0].Quiet.Delivered = 98 // two never came
	r.Results[0].Overload.Missing = 3
	r.Results[1].Connected = 9
	r.Results[1].Quiet.Again = 1
	r.Results[1].Quiet.Delivered = 101 // one came twice
	if got, want := r.faults("floor"), "5, 1, 1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBestPeer(t *testing.T) {
	if name, figure := sample().best(cpu, false); name != "nethttp" || figure != 24 {
		t.Errorf("least CPU: %s, %v", name, figure)
	}
	if name, figure := (Report{}).best(cpu, false); name != "" || !math.IsNaN(figure) {
		t.Errorf("of none: %q, %v", name, figure)
	}
}

func TestReplaceKeepsTheRest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "measurements.md")
	r := sample()
	for _, commit := range []string{"first", "second"} {
		r.Commit = commit
		if err := r.Replace(file); err != nil {
			t.Fatal(err)
		}
		if commit == "first" {
			add(t, file, "\n## More\n")
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if strings.Contains(text, "first") || strings.Count(text, "second") != 1 || !strings.HasSuffix(text, "\n## More\n") || !strings.HasPrefix(text, "# Measurements\n") {
		t.Errorf("got\n%s", text)
	}
	if _, err := replaced(endMark+"\n"+beginMark, "x"); err == nil {
		t.Error("marks in the wrong order are replaced")
	}
}

func add(t *testing.T, file, text string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestStormIsTold(t *testing.T) {
	r := sample()
	if strings.Contains(r.Text(), "Storm:") {
		t.Error("a storm is told that was none")
	}
	r.Results = append(r.Results, trial.Result{Server: "accept", Round: 1, Storm: trial.Storm{Clients: 10, Back: 10, Seconds: 1, CPUMicros: 50}})
	for i := range r.Results {
		if r.Results[i].Server == "livemap" && r.Results[i].Round == 1 {
			r.Results[i].Storm = trial.Storm{Clients: 10, Back: 9, Seconds: 2, CPUMicros: 60, Owed: 50, Got: 45, Again: 0}
		}
	}
	text := r.Text()
	for _, want := range []string{
		"of 10 clients that were cut off at once, over all rounds, 9 came back",
		"within 2.0 s; 5 events were lost, 0 came twice",
		"| storm: CPU per client that comes back over accept, parse and Hijack alone | 1.20 | at most 1.30 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "| net/http accept") {
		t.Error("a server without events has a row")
	}
}
