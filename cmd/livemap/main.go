// Command livemap turns orders into a live world map: it produces, aggregates
// and serves them, as one process (livemap demo) or as many.
//
// This directory holds flags, wiring and exit codes, and nothing else: each
// command fills the Config of the packages that do the work and runs them until
// a signal arrives. Start at main.go, then the file named after the command.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes. They are part of the contract with scripts and supervisors.
const (
	exitDone   = 0
	exitFailed = 1 // failed while running
	exitUsage  = 2 // wrong usage or configuration
)

// cli is the command line. Every flag can also come from LIVEMAP_<FLAG> or from
// the file that --config names.
type cli struct {
	Config    kong.ConfigFlag `help:"Read settings from this YAML file; flags and LIVEMAP_<FLAG> come before it." placeholder:"FILE"`
	LogLevel  string          `help:"Least severe log line to print: ${enum}." enum:"debug,info,warn,error" default:"info"`
	LogFormat string          `help:"Form of the log on standard error: ${enum}." enum:"text,json" default:"text"`

	Demo      demoCmd      `cmd:"" help:"Run everything in one process on the embedded log, and print the address of the page."`
	Broker    brokerCmd    `cmd:"" help:"Run the embedded log alone, so that the parts can run as processes without a Kafka cluster."`
	Orders    ordersCmd    `cmd:"" help:"Produce orders to Kafka: a synthetic shop world, or real purchases replayed."`
	Aggregate aggregateCmd `cmd:"" help:"Read orders, write the figures: metrics, windows, history, trending, shipments."`
	Serve     serveCmd     `cmd:"" help:"Serve the page, the API and the event streams from the topics in Kafka."`
	Load      loadCmd      `cmd:"" help:"Hold thousands of clients to a stream, account for every record, measure how late it is."`
	Token     tokenCmd     `cmd:"" help:"Make and explain the tokens that open the door."`
}

// env is what a command gets besides its flags.
type env struct {
	ctx    context.Context
	stdout io.Writer
	stderr io.Writer
	log    *slog.Logger
	config string // path of the configuration file, empty if none
}

// usageError marks an error of usage or configuration: exit code 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// usage wraps err, if there is one, as an error of usage or configuration.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

func main() {
	ctx, stop := notifyTwice(context.Background())
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// notifyTwice returns a context that the first SIGINT or SIGTERM cancels; the
// second ends the process at once, for those who do not want to wait for the
// drain.
func notifyTwice(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(exitFailed)
	}()
	return ctx, func() { signal.Stop(signals); cancel() }
}

// run is main without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	exit, helped := -1, exitDone
	if len(args) == 0 { // wrong usage, of somebody who does not know the program
		args, stdout, helped = []string{"--help"}, stderr, exitUsage
	}
	parser, err := newParser(&c, stdout, stderr, func(code int) { exit = code })
	if err != nil {
		fmt.Fprintln(stderr, "livemap:", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 { // help was printed
		return max(exit, helped)
	}
	if err != nil {
		return complain(stderr, usage(err))
	}
	e := env{ctx: ctx, stdout: stdout, stderr: stderr, config: string(c.Config), log: newLogger(stderr, c.LogFormat, c.LogLevel)}
	return complain(stderr, parsed.Run(e))
}

// newParser returns what reads a command line into c. exit is called when --help
// was printed.
func newParser(c *cli, stdout, stderr io.Writer, exit func(int)) (*kong.Kong, error) {
	return kong.New(c,
		kong.Name("livemap"),
		kong.Description("Orders in, a live world map out. Every flag can also come from LIVEMAP_<FLAG> or a --config file."),
		kong.Writers(stdout, stderr),
		kong.Exit(exit),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Help(help),
		kong.PostBuild(environment),
		kong.Configuration(loadSettings),
	)
}

// help prints what --help asks for. Of a command that stands for one of its own,
// as livemap load does for livemap load swarm, it prints that one's flags too.
func help(o kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(o, ctx); err != nil {
		return err
	}
	n := ctx.Selected()
	if n == nil || n.DefaultCmd == nil {
		return nil
	}
	fmt.Fprintf(ctx.Stdout, "\n%s is %s unless something else is named:\n\n", n.FullPath(), n.DefaultCmd.FullPath())
	own := *ctx
	own.Path = append(slices.Clone(ctx.Path), &kong.Path{Parent: n, Command: n.DefaultCmd})
	return kong.DefaultHelpPrinter(o, &own)
}

// complain prints err, a line for each problem it holds, and returns the exit
// code it calls for.
func complain(stderr io.Writer, err error) int {
	if err == nil || errors.Is(err, context.Canceled) {
		return exitDone
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(stderr, "livemap:", strings.TrimRight(line, "\n"))
	}
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitFailed
}

func newLogger(w io.Writer, format, level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo // the enum of the flag leaves no other case
	}
	o := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
