package loadtest

import (
	"strings"
	"testing"
	"time"
)

func TestView(t *testing.T) {
	snap := func(second int) Snapshot {
		s := Snapshot{Elapsed: time.Duration(second) * time.Second, Phase: "steady", Wanted: 1000, Connected: 999, Busy: 0.5, Trouble: "connection refused"}
		s.Totals[Records] = int64(second) * 1200
		s.Totals[Bytes] = int64(second) << 20
		s.Totals[GapSlow] = 3
		m := newMeter()
		record(m.latency, 2500, &m.counts)
		s.Window.take(m.latency)
		return s
	}
	var plain, terminal strings.Builder
	p, v := NewView(&plain, false), NewView(&terminal, true)
	for second := 1; second <= 6; second++ {
		p.Show(snap(second))
		v.Show(snap(second))
	}
	lines := strings.Split(strings.TrimSpace(plain.String()), "\n")
	if len(lines) != 2 || strings.Contains(plain.String(), "\x1b") {
		t.Errorf("six seconds make these lines:\n%s", plain.String())
	}
	for _, word := range []string{"connected=999/1000", "records_per_s=1200", "p99=2.5ms", "gaps=3", "mib_per_s=1.0"} {
		if !strings.Contains(lines[len(lines)-1], word) {
			t.Errorf("%q is not in %q", word, lines[len(lines)-1])
		}
	}
	if n := strings.Count(terminal.String(), "\x1b[8A"); n != 5 {
		t.Errorf("drawn over %d times, want 5 of 8 lines:\n%q", n, terminal.String())
	}
}

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	for us, want := range map[int64]string{0: "0us", 999: "999us", 1500: "1.5ms", 12_345: "12.3ms", 2_500_000: "2.5s", 999_400: "999ms", 999_700: "1s", 3_600_000_000: "3600s", 99_960: "100ms"} {
		if got := micros(us); got != want {
			t.Errorf("%d is %q, want %q", us, got, want)
		}
	}
}
