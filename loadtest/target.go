package loadtest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
)

// clientsPerSource is how many clients share a source address where addresses
// are free: half of the ports of one, so that those still in TIME_WAIT leave
// room.
const clientsPerSource = 10_000

// target is where clients connect to and from, and what they ask.
type target struct {
	addresses []netip.AddrPort // of the server, used in turn
	sources   []netip.Addr     // of the clients, used in turn; empty: the system's choice
	request   []byte           // without Authorization, Last-Event-ID and the last empty line
	tokens    []string         // of the clients, used in turn; empty: none
	envelope  bool
}

// resolve finds the addresses of the server and prepares the request.
func resolve(ctx context.Context, c *Config) (*target, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	port := uint64(80)
	if u.Port() != "" {
		if port, err = strconv.ParseUint(u.Port(), 10, 16); err != nil || port == 0 {
			return nil, fmt.Errorf("url %q: port %q: must be between 1 and 65535", c.URL, u.Port())
		}
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", u.Hostname(), err)
	}
	t := &target{request: request(u), tokens: c.Tokens, envelope: u.Query().Get("envelope") == "1"}
	// One family only, the first: sources would not fit the other.
	v4 := ips[0].Unmap().Is4()
	for _, ip := range ips {
		if ip = ip.Unmap(); ip.Is4() == v4 {
			t.addresses = append(t.addresses, netip.AddrPortFrom(ip, uint16(port)))
		}
	}
	t.sources = c.Sources
	if len(t.sources) == 0 {
		t.sources = Sources(t.addresses[0].Addr(), c.Connections)
	}
	for _, s := range t.sources {
		if s.Is4() != v4 {
			return nil, fmt.Errorf("source %v: the server's address %v is of the other family", s, t.addresses[0].Addr())
		}
	}
	return t, nil
}

// Sources returns the local addresses from which n clients connect to the
// server: for 127.0.0.0/8 enough of 127.0.0.2, 127.0.0.3 and so on, because one
// has no more than about 28,000 ports to offer; for others none, which leaves
// the choice to the system.
func Sources(server netip.Addr, n int) []netip.Addr {
	if !server.Is4() || !server.IsLoopback() {
		return nil
	}
	var list []netip.Addr
	at := netip.AddrFrom4([4]byte{127, 0, 0, 2})
	for range min((n+clientsPerSource-1)/clientsPerSource, maxSources) {
		list = append(list, at)
		at = at.Next()
	}
	return list
}

// request returns the head of the request up to the fields that differ between
// clients.
func request(u *url.URL) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nCache-Control: no-cache\r\nUser-Agent: livemap-load\r\n", u.RequestURI(), u.Host)
}

// appendRequest appends what client number n asks, going on from an id if it has
// one.
func (t *target) appendRequest(b []byte, n int, id []byte) []byte {
	b = append(b, t.request...)
	if len(t.tokens) > 0 {
		b = append(append(append(b, "Authorization: Bearer "...), t.tokens[n%len(t.tokens)]...), "\r\n"...)
	}
	if len(id) > 0 {
		b = append(append(append(b, "Last-Event-ID: "...), id...), "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// secretParameters are the names in a query whose values stay out of reports.
var secretParameters = []string{"token", "access_token", "jwt", "authorization", "auth", "key", "api_key"}

// redact returns the URL as reports show it.
func redact(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	q, changed := u.Query(), false
	for _, name := range secretParameters {
		if q.Has(name) {
			q.Set(name, "REDACTED")
			changed = true
		}
	}
	if changed {
		u.RawQuery = q.Encode()
	}
	return u.String()
}
