package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"livemap/loadtest"
)

// loadCmd is livemap load: the swarm of clients, and its reports added up.
type loadCmd struct {
	Swarm loadSwarmCmd `cmd:"" default:"withargs" help:"Hold many clients, account for every record they receive, and measure how late it is."`
	Merge loadMergeCmd `cmd:"" help:"Add up the JSON reports of several machines."`
}

// share is a part of a whole, written in per cent.
type share float64

// UnmarshalText reads a number followed by a per cent sign.
func (s *share) UnmarshalText(b []byte) error {
	digits, ok := strings.CutSuffix(string(b), "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if !ok || err != nil {
		return fmt.Errorf("%q must be a number of per cent, such as 1%%", b)
	}
	*s = share(f / 100)
	return nil
}

type loadSwarmCmd struct {
	URL         string        `name:"url" required:"" placeholder:"URL" help:"Stream to read, such as http://127.0.0.1:8080/v1/events?topics=metrics,shipments&envelope=1. Only with envelope=1 (or --sequence) losses are looked for."`
	Connections int           `required:"" placeholder:"N" help:"Number of clients; with --find-limit the most that are tried."`
	Ramp        time.Duration `default:"10s" help:"Time over which the clients come."`
	Duration    time.Duration `default:"60s" help:"Time that they stay after that."`
	Slow        share         `default:"0%" help:"Share of the clients that stop reading for --slow-pause at a time."`
	SlowPause   time.Duration `default:"30s" help:"How long a slow client does not read."`
	SlowRead    time.Duration `default:"5s" help:"How long it reads in between."`
	Token       string        `placeholder:"TOKEN" help:"Token to show (better in LIVEMAP_TOKEN: all users of a machine can read arguments)."`
	Tokens      string        `type:"existingfile" placeholder:"FILE" help:"File with tokens, one a line, which the clients show in turn."`

	Pattern    string        `enum:"steady,churn,reconnect" default:"steady" help:"What clients do: stay (steady), leave for new ones (churn), or drop all at once and return with their ids (reconnect)."`
	ChurnRate  share         `default:"1%" help:"Share of the clients that leaves each second, with --pattern churn."`
	StormEvery time.Duration `default:"30s" help:"Time between two drops, with --pattern reconnect."`
	Eager      bool          `help:"Return at once, instead of when the server's retry says."`

	Source         []netip.Addr  `placeholder:"ADDR" help:"Local addresses to connect from, in turn. Default: for a server on 127.0.0.0/8 one for each 10,000 clients, from 127.0.0.2 on; otherwise the system's choice."`
	Loops          int           `help:"Event loops, a core each; 0: one per core."`
	StateTopics    []string      `default:"metrics,history,trending" help:"Topics that owe only the latest record of each key."`
	Sequence       string        `placeholder:"FIELD" help:"Integer field of the data that counts the records of each event name, for streams without envelope=1."`
	Time           string        `placeholder:"FIELD" help:"Field of the data with the time of publication. Default: at of the envelope, otherwise emitted_at."`
	ConnectTimeout time.Duration `default:"10s" help:"Time from connecting to the answer."`
	IdleTimeout    time.Duration `default:"60s" help:"Time without a byte after which a connection counts as dead."`
	Settle         time.Duration `default:"0s" help:"Time after a client asked before which nothing published counts for the latencies: while many come, each waits for the others."`
	KernelTime     bool          `help:"Take the time at which the kernel received a record, instead of that at which the swarm read it."`
	MaxEventBytes  int           `default:"4194304" help:"Largest event."`

	FindLimit  bool          `help:"Search for the server's limit: raise the clients up to --connections until a limit is exceeded."`
	LimitP99   time.Duration `name:"limit-p99" default:"1s" help:"Latency that one record in a hundred may exceed."`
	LimitLoss  share         `default:"0%" help:"Share of the records that may be lost or announced as missed."`
	FindStart  int           `placeholder:"N" help:"Clients to begin with; default: a hundredth of --connections."`
	FindGrowth float64       `default:"1.5" help:"Factor from level to level."`
	FindHold   time.Duration `default:"10s" help:"How long each level is measured."`

	Report string `type:"path" placeholder:"FILE" help:"Write a report as one HTML page."`
	JSON   string `name:"json" type:"path" placeholder:"FILE" help:"Write a report as JSON, for livemap load merge."`
	Check  bool   `help:"Exit with 1 when records were lost, duplicated or reordered, or connections failed."`
}

// maxTokensBytes bounds a file of tokens.
const maxTokensBytes = 256 << 20

// tokens returns those that clients show in turn.
func (c *loadSwarmCmd) tokens() ([]string, error) {
	switch {
	case c.Tokens == "" && c.Token == "":
		return nil, nil
	case c.Tokens == "":
		return []string{c.Token}, nil
	case c.Token != "":
		return nil, errors.New("tokens: --token (or LIVEMAP_TOKEN) stands beside it; give one of the two")
	}
	f, err := os.Open(c.Tokens)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxTokensBytes+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxTokensBytes {
		return nil, fmt.Errorf("tokens %s: more than %d bytes", c.Tokens, maxTokensBytes)
	}
	all := strings.Fields(string(b))
	if len(all) == 0 {
		return nil, fmt.Errorf("tokens %s: there is none in it", c.Tokens)
	}
	return all, nil
}

func (c *loadSwarmCmd) config(e env, tokens []string) loadtest.Config {
	l := loadtest.Config{
		URL: c.URL, Connections: c.Connections, Ramp: c.Ramp, Duration: c.Duration, Tokens: tokens,
		Slow: float64(c.Slow), SlowPause: c.SlowPause, SlowRead: c.SlowRead,
		Pattern: loadtest.Pattern(c.Pattern), ChurnRate: float64(c.ChurnRate), StormEvery: c.StormEvery, Eager: c.Eager,
		Sources: c.Source, Loops: c.Loops, StateTopics: c.StateTopics, Sequence: c.Sequence, Time: c.Time,
		MaxEventBytes: c.MaxEventBytes, ConnectTimeout: c.ConnectTimeout, IdleTimeout: c.IdleTimeout, Settle: c.Settle, KernelTime: c.KernelTime,
		Progress: loadtest.NewView(e.stdout, isTerminal(e.stdout)).Show, Logger: e.log,
	}
	if c.FindLimit {
		l.Find = &loadtest.Find{Start: c.FindStart, Growth: c.FindGrowth, Hold: c.FindHold, P99: c.LimitP99, LossPercent: float64(c.LimitLoss) * 100}
	}
	return l
}

func (c *loadSwarmCmd) Run(e env) error {
	tokens, err := c.tokens()
	config := c.config(e, tokens)
	if err := errors.Join(err, writable("json", c.JSON), writable("report", c.Report), config.Validate()); err != nil {
		return usage(err)
	}
	report, err := loadtest.Run(e.ctx, config)
	switch {
	case errors.Is(err, loadtest.ErrDescriptors):
		return usage(err)
	case err != nil:
		return err
	}
	if err := publish(e, report, c.JSON, c.Report); err != nil {
		return err
	}
	if n := report.Faults(); c.Check && n > 0 {
		return fmt.Errorf("load: %d faults", n)
	}
	return nil
}

type loadMergeCmd struct {
	Files  []string `arg:"" type:"existingfile" placeholder:"FILE" help:"Reports written with --json."`
	Report string   `type:"path" placeholder:"FILE" help:"Write the sum as one HTML page."`
	JSON   string   `name:"json" type:"path" placeholder:"FILE" help:"Write the sum as JSON."`
}

func (c *loadMergeCmd) Run(e env) error {
	var reports []*loadtest.Report
	for _, name := range c.Files {
		p, err := readReport(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		reports = append(reports, p)
	}
	sum, err := loadtest.Merge(reports...)
	if err != nil {
		return err
	}
	return publish(e, sum, c.JSON, c.Report)
}

func readReport(name string) (*loadtest.Report, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return loadtest.ReadReport(f)
}

// publish prints a report, and writes it to the files that have a name.
func publish(e env, p *loadtest.Report, jsonFile, htmlFile string) error {
	err := p.Summary(e.stdout)
	if jsonFile != "" {
		err = errors.Join(err, writeFile(jsonFile, p.WriteJSON))
	}
	if htmlFile != "" {
		err = errors.Join(err, writeFile(htmlFile, p.WriteHTML))
	}
	return err
}

// writable says before a run why what it finds could not be written after it. It
// leaves no file behind.
func writable(flag, name string) error {
	if name == "" {
		return nil
	}
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil // whoever reads from a pipe would take this for the end
	}
	create := err != nil
	var f *os.File
	if create {
		f, err = os.Create(name)
	} else {
		f, err = os.OpenFile(name, os.O_WRONLY, 0)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	err = f.Close()
	if create {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
