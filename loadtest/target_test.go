package loadtest

import (
	"math/rand/v2"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestRequest(t *testing.T) {
	u, err := url.Parse("http://map.example:8080/v1/events?topics=a,b&keys=country%2FCA")
	if err != nil {
		t.Fatal(err)
	}
	const head = "GET /v1/events?topics=a,b&keys=country%2FCA HTTP/1.1\r\nHost: map.example:8080\r\n"
	to := &target{request: request(u)}
	if got := string(to.appendRequest(nil, 7, nil)); !strings.HasPrefix(got, head) || strings.Contains(got, "Authorization") || strings.Contains(got, "Last-Event-ID") || !strings.HasSuffix(got, "\r\n\r\n") {
		t.Errorf("without a token and an id: %q", got)
	}
	to.tokens = []string{"T0", "T1", "T2"}
	for n, want := range []string{"T0", "T1", "T2", "T0"} {
		if got := string(to.appendRequest(nil, n, []byte("ID"))); !strings.HasSuffix(got, "\r\nAuthorization: Bearer "+want+"\r\nLast-Event-ID: ID\r\n\r\n") {
			t.Errorf("client %d: %q", n, got)
		}
	}
}

func TestReportsHoldNoSecrets(t *testing.T) {
	for in, secret := range map[string]string{
		"http://x/v1/events?topics=a&token=s3cret":  "s3cret",
		"http://x/v1/events?access_token=s3cret&a=": "s3cret",
	} {
		if got := redact(in); strings.Contains(got, secret) || !strings.Contains(got, "REDACTED") {
			t.Errorf("%s is shown as %s", in, got)
		}
	}
	if in := "http://x/v1/events?topics=a,b&keys=country%2FCA"; redact(in) != in {
		t.Errorf("%s is shown as %s", in, redact(in))
	}
}

func TestSources(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	for n, want := range map[int]int{1: 1, clientsPerSource: 1, clientsPerSource + 1: 2, 100_000: 10} {
		list := Sources(loopback, n)
		if len(list) != want || list[0] != netip.MustParseAddr("127.0.0.2") || slices.ContainsFunc(list, func(a netip.Addr) bool { return !a.IsLoopback() }) {
			t.Errorf("%d clients: %v", n, list)
		}
	}
	for _, other := range []string{"10.0.0.1", "::1"} {
		if list := Sources(netip.MustParseAddr(other), 100_000); list != nil {
			t.Errorf("%s: %v", other, list)
		}
	}
}

func TestSlowClientsAreSpread(t *testing.T) {
	for _, share := range []float64{0, 0.01, 0.2, 0.5, 1} {
		slow, run, longest := 0, 0, 0
		for i := range 10_000 {
			if isSlow(i, share) {
				slow++
				run = 0
			} else if run++; run > longest {
				longest = run
			}
		}
		if want := int(share * 10_000); slow < want-1 || slow > want+1 || share > 0 && longest > int(1/share)+1 {
			t.Errorf("share %v: %d slow, at most %d in a row that are not", share, slow, longest)
		}
	}
}

func TestTimersComeInOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var timers timers
	var want, got []int64
	for range 2000 {
		at := random.Int64N(500)
		timers.add(due{at: at})
		want = append(want, at)
		if random.IntN(3) == 0 {
			first := slices.Min(want)
			if d := timers.pop(); d.at != first {
				t.Fatalf("%d came before %d", d.at, first)
			}
			want = slices.Delete(want, slices.Index(want, first), slices.Index(want, first)+1)
		}
	}
	for range want {
		got = append(got, timers.pop().at)
	}
	if _, more := timers.next(); more || !slices.IsSorted(got) {
		t.Error("what is left does not come in order")
	}
}
