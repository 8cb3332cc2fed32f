package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"livemap/bench/publish"
	"livemap/bench/trial"
)

// judged are the servers that the conformance suite is run against: those that
// people use.
var judged = []string{"open", "nethttp", "gosse", "r3labs", "mercure", "centrifuge", "nchan"}

// maxPut bounds what "bench put" publishes at once.
const maxPut = 1 << 20

// runPut publishes its standard input as one event.
func runPut(ctx context.Context, args []string) (err error) {
	f := flag.NewFlagSet("put", flag.ContinueOnError)
	to := f.String("to", "", "target: tcp://…, http://… or kafka://…/TOPIC")
	if err := f.Parse(args); err != nil {
		return err
	}
	event, err := io.ReadAll(io.LimitReader(os.Stdin, maxPut))
	if err != nil {
		return err
	}
	target, err := publish.Open(ctx, *to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	return target.Publish(ctx, event)
}

// runConformance starts all servers and prints what the conformance suite finds,
// as a table in Markdown.
func runConformance(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("conformance", flag.ContinueOnError)
	f.SetOutput(stderr)
	root := f.String("root", "..", "folder of the repository")
	if err := f.Parse(args); err != nil {
		return err
	}
	top, err := filepath.Abs(*root)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "livemap-conformance-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	suite := filepath.Join(work, "conformance")
	build := exec.CommandContext(ctx, "go", "build", "-o", suite, "./conformance/run")
	build.Dir = top
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the suite: %w\n%s", err, out)
	}
	c := trial.Config{Root: top, Self: self, Work: work, Only: judged, Rounds: 1, Clients: 1, Logger: slog.New(slog.NewTextHandler(stderr, nil))}
	if err := trial.Build(ctx, c); err != nil {
		return err
	}
	return trial.Together(ctx, c, func(all []trial.Running) error {
		arguments := []string{"-markdown"}
		for _, r := range all {
			to := r.Target
			if strings.HasPrefix(to, "kafka:") { // which the suite does not speak
				to = "exec:" + self + " put -to " + to
			}
			arguments = append(arguments, "-name", r.Label, "-url", r.URL, "-publish", to)
		}
		judge := exec.CommandContext(ctx, suite, arguments...)
		judge.Stdout, judge.Stderr = stdout, stderr
		err := judge.Run()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 1 { // some failed, as the table says
			return nil
		}
		return err
	})
}
