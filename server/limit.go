package server

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"livemap/auth"
	"livemap/hub"
)

// Limits are how much of the server one client, or all together, may take. Zero
// means no limit. Streams in all are limited by the hub's MaxClients. See
// docs/security.md for what is answered.
type Limits struct {
	PerAddress int // streams of one address (IPv6: of one /64), and connections without a stream
	PerSubject int // streams of one subject of tokens
	// NewPerSecond and NewPerAddress are requests for streams a second, from all
	// and from one address; as many more may come at once.
	NewPerSecond, NewPerAddress int
	// Connections is how many connections may be open at the public address. 0:
	// what the system's limit of descriptors leaves beyond reservedDescriptors.
	Connections int
}

func (l Limits) validate() error {
	var errs []error
	for _, v := range []struct {
		name string
		n    int
	}{
		{"max-per-address", l.PerAddress}, {"max-per-subject", l.PerSubject}, {"max-connections", l.Connections},
		{"max-new-per-second", l.NewPerSecond}, {"max-new-per-address", l.NewPerAddress},
	} {
		if v.n < 0 {
			errs = append(errs, fmt.Errorf("%s %d: must not be negative; 0 means no limit", v.name, v.n))
		}
	}
	return errors.Join(errs...)
}

// shedReason is why a client was turned away that had done nothing wrong by
// itself.
type shedReason string

// The reasons to shed.
const (
	shedFull    shedReason = "overload" // the pod has as many streams or views as it may
	shedDrain   shedReason = "drain"    // the pod goes away
	shedAddress shedReason = "address"  // as many streams from one address as allowed
	shedSubject shedReason = "subject"  // as many streams of one subject as allowed
	shedRate    shedReason = "rate"     // too many requests for streams at once
	shedHistory shedReason = "history"  // the past that is asked for cannot be looked up now
)

// shedReasons lists them all, for metrics.
var shedReasons = []shedReason{shedFull, shedDrain, shedAddress, shedSubject, shedRate, shedHistory}

// told returns what the goodbye says: whatever the limit, later there may be room.
func (r shedReason) told() hub.CloseReason {
	switch r {
	case shedDrain:
		return hub.CloseDrain
	case shedHistory:
		return hub.CloseBehind
	}
	return hub.CloseOverload
}

// limits counts streams. The maps hold an entry for each address, subject and
// tenant with a stream, so that they are bounded by the streams.
type limits struct {
	Limits
	all, each *rates

	mu        sync.Mutex
	tenants   map[tenancy]*tenant
	addresses map[netip.Prefix]int
	subjects  map[string]int
}

func newLimits(l Limits) *limits {
	return &limits{
		Limits: l, all: newRates(l.NewPerSecond), each: newRates(l.NewPerAddress),
		tenants: map[tenancy]*tenant{}, addresses: map[netip.Prefix]int{}, subjects: map[string]int{},
	}
}

// knock says whether another request for a stream may come now. It is asked
// before the token is looked at: turning somebody away must be cheap.
func (l *limits) knock(address netip.Prefix, now time.Time) bool {
	return l.each.take(address, now) && l.all.take(netip.Prefix{}, now)
}

// tenancy is what is counted of a stream, and what can be withdrawn from it.
type tenancy struct {
	permit  *auth.Permit // nil: anonymous
	address netip.Prefix
	counted bool // the address is
}

// tenant is what streams have in common that were opened with one token from one
// address: the hub's view of it, which all of them share. With the entries of
// limits it takes some 350 bytes, beside the permit.
type tenant struct {
	tenancy
	limits  *limits
	streams int // guarded by limits.mu
}

// Revoked implements hub.Permission.
func (t *tenant) Revoked() bool { return t.permit != nil && t.permit.Revoked() }

// Left implements hub.Permission: it counts a stream out.
func (t *tenant) Left() {
	l := t.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.counted {
		countOut(l.addresses, t.address)
	}
	if l.countsSubject(t.permit) {
		countOut(l.subjects, t.permit.Subject)
	}
	if t.streams--; t.streams == 0 {
		delete(l.tenants, t.tenancy)
	}
}

func (l *limits) countsSubject(p *auth.Permit) bool {
	return l.PerSubject > 0 && p != nil && p.Subject != ""
}

// revocable is what streams have in common that were opened with one token, where
// nothing is counted: the permit, which says itself whether it was revoked. Being
// a pointer, it takes no memory as a hub.Permission.
type revocable struct{ *auth.Permit }

// Left implements hub.Permission.
func (r revocable) Left() {}

// enter counts a stream in. Left of what it returns counts it out and must be
// called once; it is nil where the stream is refused for that reason, and where
// there is nothing to count or to withdraw.
func (l *limits) enter(address netip.Prefix, permit *auth.Permit) (hub.Permission, shedReason) {
	var who tenancy
	if !permit.Anonymous() {
		who.permit = permit
	}
	if l.PerAddress == 0 && !l.countsSubject(who.permit) {
		if who.permit == nil {
			return nil, ""
		}
		return revocable{permit}, ""
	}
	if l.PerAddress > 0 {
		who.address, who.counted = address, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if who.counted && l.addresses[address] >= l.PerAddress {
		return nil, shedAddress
	}
	subject := l.countsSubject(who.permit)
	if subject && l.subjects[permit.Subject] >= l.PerSubject {
		return nil, shedSubject
	}
	if who.counted {
		l.addresses[address]++
	}
	if subject {
		l.subjects[permit.Subject]++
	}
	t := l.tenants[who]
	if t == nil {
		t = &tenant{tenancy: who, limits: l}
		l.tenants[who] = t
	}
	t.streams++
	return t, ""
}

func countOut[K comparable](m map[K]int, k K) {
	if m[k]--; m[k] <= 0 {
		delete(m, k)
	}
}

// maxRates is of how many addresses the rate is known. Beyond, those who have
// not come for a second are forgotten, and if there are none, all are: the
// memory is bounded, and forgetting is in the client's favour.
const maxRates = 1 << 16

// rates are token buckets: so many a second, and as many at once.
type rates struct {
	perSecond float64 // 0: no limit

	mu      sync.Mutex
	buckets map[netip.Prefix]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

func newRates(perSecond int) *rates {
	return &rates{perSecond: float64(perSecond), buckets: map[netip.Prefix]bucket{}}
}

// take says whether one more may come now.
func (r *rates) take(who netip.Prefix, now time.Time) bool {
	if r.perSecond == 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b, known := r.buckets[who]
	if !known {
		r.makeRoomLocked(now)
		b = bucket{left: r.perSecond, at: now}
	}
	b.left = min(r.perSecond, b.left+now.Sub(b.at).Seconds()*r.perSecond)
	b.at = now
	ok := b.left >= 1
	if ok {
		b.left--
	}
	r.buckets[who] = b
	return ok
}

func (r *rates) makeRoomLocked(now time.Time) {
	if len(r.buckets) < maxRates {
		return
	}
	for who, b := range r.buckets {
		if now.Sub(b.at) >= time.Second { // full again
			delete(r.buckets, who)
		}
	}
	if len(r.buckets) >= maxRates {
		clear(r.buckets)
	}
}
