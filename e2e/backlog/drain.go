package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"livemap/feed"
	"livemap/internal/child"
	"livemap/kafka"
	"livemap/kafka/kafkatest"
)

// result is what one run took.
type result struct {
	seconds   float64 // from the start of the program until the last order was counted
	cpu       float64 // user and system seconds of the program
	startCPU  float64 // of which until the first order was counted: reading the classification, mostly
	brokerCPU float64 // and of Kafka meanwhile
	rssMiB    int64   // at most
	back      float64 // seconds from kill -9 until as many orders were counted as before
	parity    parity
}

func (r result) perSecond(orders int64) float64     { return float64(orders) / r.seconds }
func (r result) cpuPerMillion(orders int64) float64 { return r.cpu / float64(orders) * 1e6 }

// runningPerMillion is cpuPerMillion without the start.
func (r result) runningPerMillion(orders int64) float64 {
	return (r.cpu - r.startCPU) / float64(orders) * 1e6
}

// outputs are the topics that each run begins without.
var outputs = []string{
	feed.TopicMetrics, feed.TopicWindows, feed.TopicHistory, feed.TopicTrending, feed.TopicShipments,
	feed.TopicOrdersLate, feed.TopicOrdersDead, feed.TopicCheckpoint,
}

// drain runs the program from nothing until every order is counted.
func (s settings) drain(ctx context.Context, cluster *kafkatest.Cluster, program string) (result, error) {
	var r result
	if err := s.forgetOutputs(ctx, cluster.Config(), ""); err != nil {
		return r, err
	}
	broker := cluster.Nodes()[0].PID()
	brokerBefore, err := cpuSeconds(broker)
	if err != nil {
		return r, err
	}
	p, err := s.start(program, cluster.Config())
	if err != nil {
		return r, err
	}
	defer func() { p.Kill() }()
	if err := p.await(ctx, 1); err != nil {
		return r, err
	}
	if r.startCPU, err = cpuSeconds(p.PID()); err != nil {
		return r, err
	}
	if s.profile != "" {
		go p.writeProfile(s.profile)
	}
	total := s.Orders + (s.Orders+repeatEvery-1)/repeatEvery
	if s.stall > 0 {
		if err := s.freeze(ctx, p, cluster.Nodes()[0], total/4); err != nil {
			return r, err
		}
	}
	if s.kill {
		if p, err = s.killHalfway(ctx, p, program, cluster.Config(), total, &r); err != nil {
			return r, err
		}
	} else if err := p.await(ctx, total); err != nil {
		return r, err
	}
	r.seconds = time.Since(p.began).Seconds()
	brokerAfter, err := cpuSeconds(broker)
	if err != nil {
		return r, err
	}
	r.brokerCPU = brokerAfter - brokerBefore
	if r.cpu, err = cpuSeconds(p.PID()); err != nil {
		return r, err
	}
	if r.rssMiB, err = peakMiB(p.PID()); err != nil {
		return r, err
	}
	return r, s.settle(ctx, p)
}

// aggregator is a running livemap aggregate.
type aggregator struct {
	*child.Process
	admin string
	began time.Time
}

func (s settings) start(program string, k kafka.Config) (*aggregator, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &aggregator{admin: l.Addr().String(), began: time.Now()}
	if err := l.Close(); err != nil {
		return nil, err
	}
	products, err := filepath.Abs(filepath.Join(s.dir, "products.parquet"))
	if err != nil {
		return nil, err
	}
	args := append([]string{
		"aggregate", "--kafka", k.Brokers[0], "--admin-listen", a.admin, "--instance", "backlog", "--classification", "file://" + products,
	}, s.flags...)
	a.Process, err = child.Start(filepath.Join(s.dir, "aggregate.log"), program, args...)
	return a, err
}

// counted returns how many orders the program has counted since it started, and
// how many of them it had counted before a restart.
func (a *aggregator) counted(ctx context.Context) (n, again int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.admin+"/metrics", nil)
	if err != nil {
		return 0, 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), "livemap_orders_total{verdict=\"")
		if !ok {
			continue
		}
		verdict, value, _ := strings.Cut(rest, "\"} ")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, 0, err
		}
		if verdict == "replayed" {
			again = int64(v)
		} else {
			n += int64(v)
		}
	}
	return n, again, lines.Err()
}

// await waits until the program has counted so many orders.
func (a *aggregator) await(ctx context.Context, orders int64) error {
	for {
		n, _, err := a.counted(ctx)
		if err == nil && n >= orders {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.Gone():
			return fmt.Errorf("livemap aggregate has ended: %w; see its log", a.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// freeze stops the broker for a while when so many orders are counted.
func (s settings) freeze(ctx context.Context, p *aggregator, broker *kafkatest.Node, orders int64) error {
	if err := p.await(ctx, orders); err != nil {
		return err
	}
	if err := broker.Freeze(); err != nil {
		return err
	}
	time.Sleep(s.stall)
	return broker.Thaw()
}

// killHalfway kills the program when it has counted half, starts it again and
// waits for the rest. The orders of which nothing was committed are counted twice
// by the two programs together, so that the second one's count is measured against
// where the checkpoint stands: what it still has to do.
func (s settings) killHalfway(ctx context.Context, p *aggregator, program string, k kafka.Config, total int64, r *result) (*aggregator, error) {
	if err := p.await(ctx, total/2); err != nil {
		return p, err
	}
	before, _, err := p.counted(ctx)
	if err != nil {
		return p, err
	}
	p.Kill()
	killed := time.Now()
	again, err := s.start(program, k)
	if err != nil {
		return p, err
	}
	again.began = p.began
	// The first order that is new to the second program shows that it is back.
	if err := again.await(ctx, 1); err != nil {
		return again, err
	}
	r.back = time.Since(killed).Seconds()
	return again, again.await(ctx, total-before)
}

// settledAfter is how long nothing more must have been counted until all is
// committed: counts move with each flush, of which there is one a second, and the
// next one waits for the commit of the one before.
const settledAfter = 3 * time.Second

// settle waits until the last window is final and nothing more is counted, which
// after a kill no number says: a late order at the end corrects windows too. Then
// it ends the program.
func (s settings) settle(ctx context.Context, p *aggregator) error {
	last := s.lastWindow()
	for {
		at, err := p.watermark(ctx)
		if err == nil && at >= float64(last) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	for counted, since := int64(-1), time.Now(); time.Since(since) < settledAfter; time.Sleep(100 * time.Millisecond) {
		if n, _, err := p.counted(ctx); err != nil {
			return err
		} else if n != counted {
			counted, since = n, time.Now()
		}
	}
	if !p.End(syscall.SIGTERM, 30*time.Second) {
		return fmt.Errorf("livemap aggregate did not end on SIGTERM")
	}
	return nil
}

// watermark returns the watermark in seconds after begin.
func (a *aggregator) watermark(ctx context.Context) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.admin+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "livemap_aggregate_watermark_lag_seconds "); ok {
			lag, err := strconv.ParseFloat(rest, 64)
			return float64(time.Now().UnixMilli()-int64(begin))/1000 - lag, err
		}
	}
	return 0, fmt.Errorf("no watermark: %w", lines.Err())
}

// cpuSeconds returns the user and system time of a process: fields 14 and 15 of
// /proc/PID/stat, in hundredths.
func cpuSeconds(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("cpu time of %d: %q", pid, b)
	}
	return (user + system) / 100, nil
}

// peakMiB returns the most memory that a process has had.
func peakMiB(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("no VmHWM of %d", pid)
}

// writeProfile writes a CPU profile of the next seconds.
func (a *aggregator) writeProfile(file string) {
	resp, err := http.Get("http://" + a.admin + "/debug/pprof/profile?seconds=5")
	if err != nil {
		slog.Warn("no profile", "err", err)
		return
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil {
		err = os.WriteFile(file, b, 0o600)
	}
	slog.Info("profile written", "file", file, "err", err)
}
