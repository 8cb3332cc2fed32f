package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// Times of fetching a key set. They bound what anybody can make this server ask
// of the other: no number of tokens with invented kids causes more than one
// request in fetchApart.
const (
	fetchTimeout = 5 * time.Second
	fetchApart   = 10 * time.Second // between fetches because of an unknown kid
	fetchRetry   = 5 * time.Second  // after the first failure; doubles up to the refresh interval
	fetchWait    = 2 * time.Second  // how long a token with an unknown kid waits for a fetch
)

// fetcher keeps the keys at an address fresh. Requests never fetch: they leave a
// wish and wait a little, and run alone goes out, once for all who wait.
type fetcher struct {
	// immutable
	address string
	every   time.Duration
	client  *http.Client
	log     *slog.Logger
	use     func([]*key) // puts a new set in force

	wish  chan struct{} // of capacity one
	fresh broadcast     // rings after each fetch, whatever came of it
	last  atomic.Int64  // when the last fetch ended, in milliseconds since the epoch
}

// checkAddress allows https, and http to this machine only: keys that came over
// an open network are whoever's keys.
func checkAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("is not a URL")
	}
	switch {
	case u.Host == "" || u.User != nil || u.Fragment != "":
		return errors.New("must be https://host/path without user and fragment")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return errors.New("must begin with https:// (http:// only to a loopback address)")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// newFetcher makes a fetcher that does nothing before run. A redirect is an
// error: the address that was configured is the one that is trusted.
func newFetcher(address string, every time.Duration, log *slog.Logger, use func([]*key)) *fetcher {
	transport := http.DefaultTransport.(*http.Transport).Clone() // its own, so that it can be closed
	transport.MaxResponseHeaderBytes = 64 << 10
	return &fetcher{
		address: address,
		every:   every,
		client: &http.Client{
			Timeout:   fetchTimeout,
			Transport: transport,
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return errors.New("it redirects; set the address that it redirects to")
			},
		},
		log:  log,
		use:  use,
		wish: make(chan struct{}, 1),
	}
}

// run fetches until ctx ends: at every interval (10 % more or less, so that pods
// do not go together), sooner after a failure, and on a wish. What cannot be
// fetched leaves the keys as they are, for however long that lasts.
func (f *fetcher) run(ctx context.Context, m *metrics) {
	defer f.client.CloseIdleConnections()
	retry := fetchRetry
	for {
		wait := f.every + time.Duration((rand.Float64()-0.5)*0.2*float64(f.every)) // #nosec G404 -- spreads load, no secret
		if err := f.once(ctx, m); err != nil {
			if ctx.Err() != nil {
				return
			}
			f.log.Warn("keys stay as they are: cannot fetch the key set", "url", Redact(f.address), "retry_in", retry, "error", err)
			wait, retry = min(retry, f.every), min(2*retry, f.every)
		} else {
			retry = fetchRetry
		}
		if !f.pause(ctx, wait) {
			return
		}
	}
}

// once fetches the set and puts it in force.
func (f *fetcher) once(ctx context.Context, m *metrics) error {
	defer f.fresh.ring()
	defer func() { f.last.Store(time.Now().UnixMilli()) }()
	keys, notes, err := f.fetch(ctx)
	if err != nil {
		m.reloads.WithLabelValues(sourceJWKS, resultFailed).Inc()
		return err
	}
	m.reloads.WithLabelValues(sourceJWKS, resultOK).Inc()
	m.keysAt.SetToCurrentTime()
	f.use(keys)
	for _, n := range notes {
		f.log.Debug("key of the key set not used", "url", Redact(f.address), "note", n)
	}
	return nil
}

// pause waits for the next time to fetch, and says whether there is one.
func (f *fetcher) pause(ctx context.Context, wait time.Duration) bool {
	next := time.NewTimer(wait)
	defer next.Stop()
	apart := time.NewTimer(fetchApart)
	defer apart.Stop()
	var wish chan struct{} // nil, and so never ready, until fetchApart has passed
	for {
		select {
		case <-ctx.Done():
			return false
		case <-next.C:
			return true
		case <-apart.C:
			wish = f.wish
		case <-wish:
			return true
		}
	}
}

// await asks for a fetch and waits until one has been, at most fetchWait. When
// none can be that soon, it only asks: whoever invents kids is answered at once.
func (f *fetcher) await(ctx context.Context) {
	fresh := f.fresh.wait()
	select {
	case f.wish <- struct{}{}:
	default:
	}
	if last := f.last.Load(); last != 0 && time.Since(time.UnixMilli(last)) < fetchApart-fetchWait {
		return
	}
	limit := time.NewTimer(fetchWait)
	defer limit.Stop()
	select {
	case <-fresh:
	case <-limit.C:
	case <-ctx.Done():
	}
}

// fetch gets the key set once.
func (f *fetcher) fetch(ctx context.Context) ([]*key, []string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.address, nil)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	a, err := f.client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("it answers %s", a.Status)
	}
	b, err := io.ReadAll(io.LimitReader(a.Body, MaxJWKSBytes+1))
	if err != nil {
		return nil, nil, err
	}
	if len(b) > MaxJWKSBytes {
		return nil, nil, fmt.Errorf("the answer is larger than %d bytes", MaxJWKSBytes)
	}
	return parseJWKS(b)
}
