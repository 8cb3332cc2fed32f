package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"livemap/bench/publish"
	"livemap/bench/swarm"
	"livemap/bench/trial"
)

// TestSwarmsAgree lets livemap load and the swarm of this module listen to the
// same stream, side by side: they share no code, and count the same events.
// (The measurements are taken with the swarm, for it needs a fifth of the CPU.)
func TestSwarmsAgree(t *testing.T) {
	const clients, events = 40, 30
	cfg := testConfig(t)
	cfg.Work += "-agree"
	cfg.Only = []string{"floor", "livemap"}
	if err := trial.Build(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	stream, input := freeAddress(t), freeAddress(t)
	port := func(a string) string { return a[strings.LastIndexByte(a, ':')+1:] }
	begin(t, exec.CommandContext(t.Context(), filepath.Join(cfg.Work, "floor"), port(stream), port(input)))
	target := reach(t, "tcp://"+input)
	defer target.Close()

	own := exec.CommandContext(t.Context(), cfg.Self, "swarm", "-address", stream, "-path", "/", "-clients", fmt.Sprint(clients))
	commands, err := own.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	reports := output(t, own)
	file := filepath.Join(t.TempDir(), "load.json")
	load := exec.CommandContext(t.Context(), filepath.Join(cfg.Work, "livemap"), "load", "--url", "http://"+stream+"/",
		"--connections", fmt.Sprint(clients), "--ramp", "0s", "--duration", "4s", "--sequence", "n", "--time", "at", "--check", "--json", file)
	progress := output(t, load)

	for !strings.Contains(progress.Text(), fmt.Sprintf("connected=%d/", clients)) {
		if !progress.Scan() {
			t.Fatal("livemap load did not connect its clients")
		}
	}
	ask := func() (r swarm.Report) {
		fmt.Fprintln(commands, swarm.Look)
		if !reports.Scan() || json.Unmarshal(reports.Bytes(), &r) != nil {
			t.Fatalf("no report of the swarm: %q", reports.Text())
		}
		return r
	}
	for ask().Connected < clients {
	}
	if err := publish.Run(t.Context(), publish.Plan{Rate: 50, Count: events, First: 1}, target); err != nil {
		t.Fatal(err)
	}
	for progress.Scan() {
	}
	if err := load.Wait(); err != nil {
		t.Fatalf("livemap load: %v", err)
	}
	var report struct{ Counts map[string]int64 }
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &report)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := ask()
	if r.Events != clients*events || r.Missing != 0 || r.Again != 0 {
		t.Errorf("the swarm: %+v, want %d events", r, clients*events)
	}
	if got := report.Counts["records"]; got != r.Events {
		t.Errorf("livemap load counts %d events, the swarm %d", got, r.Events)
	}
}

// begin starts a program that runs until the test ends.
func begin(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
}

// output starts a program and returns the lines that it prints.
func output(t *testing.T, cmd *exec.Cmd) *bufio.Scanner {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begin(t, cmd)
	return bufio.NewScanner(out)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// reach opens a target as soon as it is there.
func reach(t *testing.T, address string) publish.Target {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		target, err := publish.Open(ctx, address)
		if err == nil {
			return target
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}
