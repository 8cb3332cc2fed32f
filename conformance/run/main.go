// Command run judges servers of Server-Sent Events by their URLs, and prints
// what it found: see package conformance.
//
//	go run ./conformance/run -url http://127.0.0.1:8080/v1/events?topics=metrics
//
// With -name and more than one -url it prints a table in Markdown, a column for
// each server. The exit code is 1 if a check of level "must" failed.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"time"

	"livemap/conformance"
)

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

type options struct {
	urls, names, header, publish list
	only, ca                     string
	markdown                     bool
	wait, patience               time.Duration
}

func main() {
	var o options
	flag.Var(&o.urls, "url", "`URL` of a stream; several for a table")
	flag.Var(&o.names, "name", "`NAME` of each server in the table, in the order of -url")
	flag.Var(&o.header, "header", "`LINE` for each request: \"Authorization: Bearer …\"")
	flag.Var(&o.publish, "publish", "`URL` by which to publish, in the order of -url: http(s) is sent the data as the body of a POST, tcp a line, exec:COMMAND its standard input")
	flag.StringVar(&o.only, "only", "", "run the checks whose ID matches this `REGEXP`")
	flag.StringVar(&o.ca, "ca", "", "PEM `FILE` with the authority of https servers")
	flag.BoolVar(&o.markdown, "markdown", false, "print a table in Markdown")
	flag.DurationVar(&o.wait, "wait", conformance.DefaultWait, "how long an answer or the next event may take")
	flag.DurationVar(&o.patience, "patience", conformance.DefaultPatience, "how long a server may wait for a request that never ends")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	failed, err := run(ctx, o, os.Stdout)
	stop()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	case failed:
		os.Exit(1)
	}
}

// run judges all servers and prints what it found. It reports whether a check of
// level must failed.
func run(ctx context.Context, o options, w io.Writer) (failed bool, err error) {
	if len(o.urls) == 0 || flag.NArg() > 0 {
		return false, errors.New("give -url, and nothing but flags; -help lists them")
	}
	only, err := regexp.Compile(o.only)
	if err != nil {
		return false, fmt.Errorf("only: %w", err)
	}
	target := conformance.Target{Header: o.header, Wait: o.wait, Patience: o.patience}
	if o.ca != "" {
		b, err := os.ReadFile(o.ca)
		if err != nil {
			return false, err
		}
		target.TLS = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		if !target.TLS.RootCAs.AppendCertsFromPEM(b) {
			return false, fmt.Errorf("ca %s: no certificate in it", o.ca)
		}
	}
	var columns []conformance.Column
	for i, u := range o.urls {
		t := target
		t.URL = u
		if i < len(o.publish) && o.publish[i] != "" {
			if t.Publish, err = publisher(o.publish[i]); err != nil {
				return false, err
			}
		}
		results, err := conformance.Run(ctx, t, only.MatchString)
		if err != nil {
			return false, err
		}
		name := u
		if i < len(o.names) {
			name = o.names[i]
		}
		columns = append(columns, conformance.Column{Name: name, Results: results})
		for _, r := range results {
			failed = failed || r.Verdict == conformance.Fail && r.Check.Level == conformance.Must
		}
	}
	if o.markdown || len(columns) > 1 {
		conformance.Markdown(w, columns)
	} else {
		conformance.Text(w, columns[0].Results)
	}
	return failed, nil
}

// publisher returns how to make a server send an event.
func publisher(address string) (func(context.Context, []byte) error, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	switch u.Scheme {
	case "http", "https":
		return func(ctx context.Context, data []byte) error { return post(ctx, address, data) }, nil
	case "tcp":
		return func(ctx context.Context, data []byte) error { return line(ctx, u.Host, data) }, nil
	case "exec":
		return func(ctx context.Context, data []byte) error {
			return pipe(ctx, strings.TrimPrefix(address, "exec:"), data)
		}, nil
	}
	return nil, fmt.Errorf("publish %q: must begin with http, https, tcp or exec", address)
}

func post(ctx context.Context, address string, data []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(data))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode >= 300 {
		return errors.New(resp.Status)
	}
	return nil
}

// pipe runs a command, split at spaces, with the data as its input.
func pipe(ctx context.Context, command string, data []byte) error {
	words := strings.Fields(command)
	if len(words) == 0 {
		return errors.New("exec: no command")
	}
	c := exec.CommandContext(ctx, words[0], words[1:]...)
	c.Stdin = bytes.NewReader(data)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func line(ctx context.Context, host string, data []byte) error {
	if bytes.ContainsAny(data, "\n") {
		return errors.New("LF ends what is published")
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write(append(data, '\n'))
	return err
}
