package conformance

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Level is how much a rule binds.
type Level string

// The levels.
const (
	Must   Level = "must"   // a MUST of a standard, or a browser or another client is harmed
	Should Level = "should" // good practice
)

// Verdict is the outcome of a check.
type Verdict string

// The verdicts.
const (
	Pass          Verdict = "pass"
	Fail          Verdict = "fail"
	NotApplicable Verdict = "n/a" // the server, or what is known of it, gives nothing to judge
)

// Check is one rule.
type Check struct {
	ID     string // stable, GROUP.NAME
	Title  string // what a server does that passes
	Level  Level
	Source string // of the rule
	// Alone says that other checks must not run beside it.
	Alone bool

	judge func(context.Context, *probe) outcome
}

// Result is what became of a check.
type Result struct {
	Check   Check
	Verdict Verdict
	Reason  string // what was seen; empty for most that pass
}

type outcome struct {
	verdict Verdict
	reason  string
}

func pass(format string, args ...any) outcome { return outcome{Pass, fmt.Sprintf(format, args...)} }
func fail(format string, args ...any) outcome { return outcome{Fail, fmt.Sprintf(format, args...)} }
func none(format string, args ...any) outcome {
	return outcome{NotApplicable, fmt.Sprintf(format, args...)}
}

// Target is the server to judge.
type Target struct {
	URL    string   // of a stream, http or https
	Header []string // "Name: value" of each request: a token, for instance
	TLS    *tls.Config
	// Publish makes the server send an event with this data, exactly; nil: there is
	// no way, and what needs it does not apply. It returns an error for data that
	// cannot be published.
	Publish func(ctx context.Context, data []byte) error
	// Wait is how long an answer or the next event may take; 0: DefaultWait.
	Wait time.Duration
	// Patience is how long a server may wait for a request that never ends; 0:
	// DefaultPatience.
	Patience time.Duration
}

// Defaults of a Target.
const (
	DefaultWait     = 5 * time.Second
	DefaultPatience = 30 * time.Second
)

// together is how many checks run at once.
const together = 6

// Checks returns all checks, in the order of reports.
func Checks() []Check {
	return slices.Concat(heads, framing, resuming, methods, requests, smuggling, injection, hostile)
}

// Run runs the checks whose ID keep accepts, nil for all. The results have the
// checks' order. The error says why the server could not be judged at all.
func Run(ctx context.Context, t Target, keep func(id string) bool) ([]Result, error) {
	u, err := url.Parse(t.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("url %q: must be http or https with a host", t.URL)
	}
	if t.Wait == 0 {
		t.Wait = DefaultWait
	}
	if t.Patience == 0 {
		t.Patience = DefaultPatience
	}
	p := &probe{Target: t, url: u}
	if a, err := p.get(ctx); err != nil {
		return nil, fmt.Errorf("%s does not answer: %w", t.URL, err)
	} else if a.close(); a.status != 200 {
		return nil, fmt.Errorf("%s answers %d: give the URL of a stream, and what it needs with -header", t.URL, a.status)
	}
	var results []Result
	for _, c := range Checks() {
		if keep == nil || keep(c.ID) {
			results = append(results, Result{Check: c})
		}
	}
	var running sync.WaitGroup
	slots := make(chan struct{}, together)
	for i := range results {
		if !results[i].Check.Alone {
			running.Go(func() {
				slots <- struct{}{}
				results[i].judge(ctx, p)
				<-slots
			})
		}
	}
	running.Wait()
	for i := range results {
		if results[i].Check.Alone {
			results[i].judge(ctx, p)
		}
	}
	return results, ctx.Err()
}

func (r *Result) judge(ctx context.Context, p *probe) {
	o := r.Check.judge(ctx, p)
	r.Verdict, r.Reason = o.verdict, o.reason
}
