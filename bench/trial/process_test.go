package trial

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestParseCPU(t *testing.T) {
	// A name may hold spaces and brackets.
	const stat = "42 (a (odd) name) S 1 42 42 0 -1 4194560 100 0 0 0 123 77 0 0 20 0 1 0 100 1000 200 0"
	if got, err := parseCPU(stat); err != nil || got != 2*time.Second {
		t.Errorf("got %v, %v, want 2s", got, err)
	}
	for _, bad := range []string{"", "42 (x) S 1", "42 (x) S 1 42 42 0 -1 4194560 100 0 0 0 a b 0"} {
		if _, err := parseCPU(bad); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

func TestParseRSS(t *testing.T) {
	const rollup = "00400000-7fff0000 ---p 00000000 00:00 0 [rollup]\nRss:                1234 kB\nPss:                 100 kB\n"
	if got, err := parseRSS(rollup); err != nil || got != 1234<<10 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := parseRSS("Pss: 1 kB\n"); err == nil {
		t.Error("without Rss something is read")
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	u, err := usageOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if u.rssBytes < 1<<20 {
		t.Errorf("%d bytes resident", u.rssBytes)
	}
}

func TestConfigReportsAllErrors(t *testing.T) {
	err := Config{Only: []string{"apache"}, Settle: -1}.Validate()
	if err == nil {
		t.Fatal("valid")
	}
	for _, want := range []string{`only "apache"`, "rounds 0", "clients 0", "settle -1ns, overload 0s", "quiet 0s", "quiet-rate 0"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %q", err, want)
		}
	}
}
