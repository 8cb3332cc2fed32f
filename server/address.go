package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxForwarded bounds how many hops of X-Forwarded-For are looked at.
const maxForwarded = 16

// isProxy says whether an address is of one of our own proxies.
func (s *Server) isProxy(a netip.Addr) bool { return within(s.config.TrustedProxies, a) }

// within says whether an address is of one of the networks.
func within(networks []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

// clientOf returns the network that a request counts for. Where the peer is a
// proxy of ours that is the last address in X-Forwarded-For that is not: each
// proxy appends whom it talks to, so that from the right every entry is the word
// of one that we trust, up to and including the first that we do not. What
// stands further left anybody can have written.
func (s *Server) clientOf(r *http.Request) netip.Prefix {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	addr := peer.Addr()
	if !s.isProxy(addr) {
		return network(addr)
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= max(0, len(hops)-maxForwarded); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		if addr = hop; !s.isProxy(hop) {
			break
		}
	}
	return network(addr)
}

// network returns what counts as one address: that of IPv4, and the 64 bits of
// IPv6 within which everybody has as many addresses as they like.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // of the zero address
	}
	return p
}
