package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"livemap/bench/report"
	"livemap/bench/trial"
)

// runScale is "bench scale": what ours delivers with more and more shards. It
// needs twice as many cores as shards, and no network but loopback.
func runScale(ctx context.Context, args []string, stdout io.Writer) error {
	f := flag.NewFlagSet("scale", flag.ContinueOnError)
	c := trial.ScaleConfig{Shards: []int{1, 2, 4, 8}, Offers: []float64{1e6, 1.5e6, 2e6}}
	f.StringVar(&c.Root, "root", "..", "folder of the repository")
	f.StringVar(&c.Livemap, "livemap", "", "program to measure; empty: built from the repository")
	f.StringVar(&c.Work, "work", "", "folder for logs; empty: .cache/bench in the repository")
	f.IntVar(&c.Clients, "clients", 2000, "of each swarm; there is one for each core that is left")
	f.DurationVar(&c.Lead, "lead", 4*time.Second, "time of each offer before it is measured")
	f.DurationVar(&c.Measure, "measure", 4*time.Second, "time that is measured")
	f.Func("shards", "numbers of shards (default 1,2,4,8)", func(text string) (err error) {
		c.Shards = nil
		for part := range strings.SplitSeq(text, ",") {
			n, err := strconv.Atoi(part)
			if err != nil {
				return err
			}
			c.Shards = append(c.Shards, n)
		}
		return nil
	})
	f.Func("offers", "events a second for each shard (default 1e6,1.5e6,2e6)", func(text string) (err error) {
		c.Offers, err = rates(text)
		return err
	})
	if err := f.Parse(args); err != nil {
		return err
	}
	var err error
	if c.Self, err = os.Executable(); err != nil {
		return err
	}
	if c.Root, err = filepath.Abs(c.Root); err != nil {
		return err
	}
	if c.Work == "" {
		c.Work = filepath.Join(c.Root, ".cache", "bench")
	}
	if c.Livemap == "" {
		build := trial.Config{Root: c.Root, Work: c.Work, Only: []string{"livemap"}}
		if err := trial.Build(ctx, build); err != nil {
			return err
		}
		c.Livemap = filepath.Join(c.Work, "livemap")
	}
	all, err := trial.Scale(ctx, c)
	fmt.Fprintf(stdout, "%s, a server of N shards on N cores, %v before each measurement of %v\n\n", report.ThisMachine(), c.Lead, c.Measure)
	fmt.Fprint(stdout, "| shards | clients | offered/s | delivered/s | share % | p99 ms | CPU µs per event | server's cores % | busiest swarm % | not seen |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, r := range all {
		fmt.Fprintf(stdout, "| %d | %d | %.0f | %.0f | %.1f | %.0f | %.2f | %.0f | %.0f | %d |\n",
			r.Shards, r.Clients, r.Phase.Offered/r.Phase.Seconds, r.Phase.PerSecond(), 100*r.Phase.Share(), r.Phase.P99, r.Phase.CPUMicros,
			100*r.Server, 100*r.Swarm, r.Phase.Missing)
	}
	return err
}
