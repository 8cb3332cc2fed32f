// Command demo shows the map fed by Flink: a real Kafka, made-up orders, the
// Flink job and a pod, each a process of its own, all on this machine. "make
// flink-demo" starts it; its one argument is the address of the page. Start at
// run. It measures and decides nothing, and leaves nothing behind.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"livemap/internal/child"
	"livemap/kafka"
	"livemap/kafka/kafkatest"
)

const (
	// defaultListen is where the page is.
	defaultListen = "127.0.0.1:8080"
	// rate is how many orders a second are sent.
	rate = "200"
	// startWithin bounds the start of a part, endWithin its end.
	startWithin = 2 * time.Minute
	endWithin   = 20 * time.Second
	lookEvery   = 200 * time.Millisecond
)

func main() {
	listen := defaultListen
	switch {
	case len(os.Args) == 2:
		listen = os.Args[1]
	case len(os.Args) > 2:
		fmt.Fprintln(os.Stderr, "usage: go run ./flink/demo [ADDRESS OF THE PAGE]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, listen); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "flink-demo:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to undo
	}
}

// part is one process of the demo.
type part struct {
	name    string
	process *child.Process
	log     string
}

// run starts everything in the order in which it is needed, and waits for the
// end of ctx or of a part.
func run(ctx context.Context, listen string) (err error) {
	if err := free(ctx, listen); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "livemap-flink-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	livemap := filepath.Join(dir, "livemap")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", livemap, "./cmd/livemap").CombinedOutput(); err != nil { //nolint:gosec // our own program
		return fmt.Errorf("build livemap: %w\n%s", err, out)
	}
	lib, err := kafkatest.Lib()
	if err != nil {
		return err
	}
	fmt.Println("starting Kafka")
	log, err := kafkatest.Open(lib, filepath.Join(dir, "kafka"), 1)
	if err != nil {
		return fmt.Errorf("start Kafka: %w", err)
	}
	defer log.Close()
	if err := kafka.WaitReady(ctx, log.Config()); err != nil {
		return err
	}
	broker, products := log.Config().Brokers[0], filepath.Join(dir, "products.parquet")
	parts := []*part{}
	defer func() {
		for _, p := range parts {
			if !p.process.End(syscall.SIGTERM, endWithin) {
				err = errors.Join(err, fmt.Errorf("%s did not end within %s; it was killed", p.name, endWithin))
			}
		}
	}()
	for _, next := range []struct {
		name, tell, said string
		environment      []string
		command          []string
	}{
		{"orders", "sending " + rate + " orders a second", "", nil,
			[]string{livemap, "orders", "--kafka", broker, "--rate", rate, "--classification-out", products}},
		{"flink", "starting the Flink job", "livemap: job ", []string{"LIVEMAP_FLINK_STATE=" + filepath.Join(dir, "flink")},
			[]string{"flink/run", "--kafka", broker, "--classification", "file://" + products}},
		{"pod", "starting a pod", "serving ", nil,
			[]string{livemap, "serve", "--kafka", broker, "--anonymous", "--listen", listen, "--admin-listen", "off"}},
	} {
		fmt.Println(next.tell)
		p := &part{name: next.name, log: filepath.Join(dir, next.name+".log")}
		if p.process, err = (child.Options{Environment: next.environment}).Start(p.log, next.command[0], next.command[1:]...); err != nil {
			return err
		}
		parts = append(parts, p)
		if next.name == "orders" {
			err = p.await(ctx, func() bool { _, err := os.Stat(products); return err == nil })
		} else {
			err = p.await(ctx, func() bool { return strings.Contains(p.said(), next.said) })
		}
		if err != nil {
			return err
		}
	}
	fmt.Printf("\nthe map is at http://%s/ (Ctrl-C ends it)\n", listen)
	return watch(ctx, parts)
}

// free finds out, before half a minute of starting, whether the page's address can
// be had.
func free(ctx context.Context, listen string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("the address of the page cannot be had: %w; name another: make flink-demo LISTEN=127.0.0.1:8081", err)
	}
	return l.Close()
}

// said returns what a part has printed.
func (p *part) said() string {
	b, _ := os.ReadFile(p.log) // missing while nothing is said
	return string(b)
}

// await waits until a part has done what it is started for.
func (p *part) await(ctx context.Context, done func() bool) error {
	until := time.Now().Add(startWithin)
	for !done() {
		if err := p.ended(); err != nil {
			return err
		}
		if time.Now().After(until) {
			return fmt.Errorf("%s is not there after %s:\n%s", p.name, startWithin, p.said())
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// ended returns an error if a part has ended.
func (p *part) ended() error {
	select {
	case <-p.process.Gone():
		return fmt.Errorf("%s has ended:\n%s", p.name, p.said())
	default:
		return nil
	}
}

// watch waits until ctx ends, or tells which part ended before it.
func watch(ctx context.Context, parts []*part) error {
	for {
		for _, p := range parts {
			if err := p.ended(); err != nil {
				return err
			}
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return nil
		}
	}
}
