package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"livemap/e2e/stage"
)

// How long each swarm takes. What comes while clients do comes to fewer, and
// waits for their joins: it is not part of the latencies.
var (
	steady = []string{"--ramp", "1s", "--settle", "2s", "--duration", "14s"}
	stormy = []string{"--ramp", "5s", "--settle", "5s", "--duration", "20s"}
)

const stormEvery = "10s"

// measure prints a line for each swarm, then for each situation the median of
// the rounds, with the least and the greatest.
func (s *scene) measure(ctx context.Context, clients, rounds, storm int) error {
	direct, behind := "http://"+s.pod.Addr, "http://"+s.proxy.Addr
	var all results
	for range rounds {
		if err := s.measureFloor(ctx, &all, clients); err != nil {
			return err
		}
		err := beside(ctx, s.write, func() error {
			return errors.Join(
				s.show(&all, "direct, 1", s.load(direct, 1, steady)),
				s.show(&all, "direct", s.load(direct, clients, steady)),
				s.show(&all, "nginx, 1", s.load(behind, 1, steady)),
				s.show(&all, "nginx", s.load(behind, clients, steady)))
		})
		if err != nil {
			return err
		}
	}
	if storm > 0 {
		if err := beside(ctx, s.write, func() error { return s.storms(&all, direct, clients, storm) }); err != nil {
			return err
		}
	}
	all.print()
	return nil
}

func (s *scene) measureFloor(ctx context.Context, all *results, clients int) error {
	f, err := openFloor()
	if err != nil {
		return err
	}
	return beside(ctx, f.run, func() error {
		return s.show(all, "floor", s.load("http://"+f.listener.Addr().String(), clients, steady))
	})
}

// storms measures beside a crowd that listens, and beside one that is cut off
// and comes back at once.
func (s *scene) storms(all *results, origin string, clients, storm int) error {
	for _, pattern := range []string{"steady", "reconnect"} {
		crowd := s.load(origin, storm, append(stormy, "--pattern", pattern, "--storm-every", stormEvery, "--eager"))
		watch := s.load(origin, clients, stormy)
		if err := crowd.Start(); err != nil {
			return err
		}
		err := s.show(all, "beside "+strconv.Itoa(storm)+" "+pattern, watch)
		<-crowd.Gone()
		if err != nil {
			return err
		}
		fmt.Printf("%s: %s\n", "the "+strconv.Itoa(storm)+" "+pattern, lastLine.FindString(crowd.Output()))
	}
	return nil
}

// load returns a swarm of clients, which goes by the kernel's time.
func (s *scene) load(origin string, clients int, more []string) *stage.Command {
	s.swarms++
	args := append([]string{"load", "--kernel-time", "--slow", "0%",
		"--url", origin + "/v1/events?topics=" + topic + "&envelope=1", "--connections", strconv.Itoa(clients)}, more...)
	return stage.NewCommand(s.program, s.dir, fmt.Sprintf("load-%d", s.swarms), args...)
}

var lastLine = regexp.MustCompile(`(?m)^connections=.* p50_us=(\d+) p99_us=(\d+) .*$`)

// show runs a swarm to its end, prints its last line and adds it to the results.
func (s *scene) show(all *results, what string, load *stage.Command) error {
	if err := load.Start(); err != nil {
		return err
	}
	<-load.Gone()
	line := lastLine.FindStringSubmatch(load.Output())
	if line == nil {
		return fmt.Errorf("%s: livemap load says nothing but:\n%s", what, load.Tail())
	}
	fmt.Printf("%s: %s\n", what, line[0])
	return all.add(what, line[1], line[2])
}

// results are what was measured, in the order in which it first was.
type results []result

// result is a situation, and its percentiles in each round, in microseconds.
type result struct {
	what     string
	p50, p99 []int
}

func (r *results) add(what, p50, p99 string) error {
	i := slices.IndexFunc(*r, func(x result) bool { return x.what == what })
	if i < 0 {
		i = len(*r)
		*r = append(*r, result{what: what})
	}
	x := &(*r)[i]
	for _, to := range []struct {
		text string
		list *[]int
	}{{p50, &x.p50}, {p99, &x.p99}} {
		n, err := strconv.Atoi(to.text)
		if err != nil {
			return err
		}
		*to.list = append(*to.list, n)
	}
	return nil
}

func (r *results) print() {
	for _, x := range *r {
		fmt.Printf("%-24s p50 %s ms, p99 %s ms\n", x.what, median(x.p50), median(x.p99))
	}
}

// median writes the median of microseconds in milliseconds, and between which
// they lie.
func median(us []int) string {
	sorted := slices.Sorted(slices.Values(us))
	ms := func(i int) float64 { return float64(sorted[i]) / 1000 }
	if len(sorted) == 1 {
		return fmt.Sprintf("%.1f", ms(0))
	}
	return fmt.Sprintf("%.1f (%.1f–%.1f)", ms(len(sorted)/2), ms(0), ms(len(sorted)-1))
}
