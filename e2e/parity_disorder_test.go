package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"livemap/feed"
	"livemap/kafka"
	"livemap/kafka/kafkatest"
	"livemap/orders"
	"livemap/orders/classification"
	"livemap/orders/synthetic"
)

const (
	// disorderly is how many orders the world of the disorder case sends, and
	// badEvery after how many of them a record comes that is no order.
	disorderly = 20_000
	badEvery   = 40
	// beyondAll is how far after the others the last order is: it makes every
	// window before it final.
	beyondAll = orders.Time(2 * 60 * 60 * 1000)
	lateness  = time.Minute
)

// rates are in force from the day on which they are listed; on the first no
// yen has any.
const rates = `Date,USD,JPY
2026-01-05,1.0837,N/A
2026-01-04,1.0835,162.35
2026-01-03,1.0831,161.9
`

// parityOfDisorder: late orders, duplicates, orders too late to count, foreign
// currencies, and every kind of record that is no order. In one partition,
// because only there is it certain what comes before what, and so what is late.
// Meanwhile the processes of the Flink job are killed: what is written exactly
// once must not show it. Shipments are written at least once, and do.
func parityOfDisorder(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), parityLimit)
	defer cancel()
	log := kafkatest.Start(t)
	makeTopics(ctx, t, log, 1)
	d := newDisorder(t)
	ofGo, ofFlink := d.run(ctx, t, log)
	expected := d.expect(t)
	until := d.last().String()
	agree(t, expected, ofGo, "--until", until)
	agree(t, expected, ofFlink, "--until", until, "--shipped-again")
	if code, out := oracle(t, "compare", "--expected", expected, "--seen", plantCent(t, ofFlink), "--until", until, "--shipped-again"); code != 1 {
		t.Errorf("a planted cent went unnoticed: exit code %d, %s", code, out)
	}
	same(t, ofGo, ofFlink, d.last(), minWindows, feed.TopicWindows, feed.TopicTrending)
	for topic, atLeast := range map[string]int{feed.TopicOrdersDead: disorderly / badEvery, feed.TopicOrdersLate: disorderly / 1000} {
		a, b := kept(ctx, t, log, topic), kept(ctx, t, log, flinkPrefix+topic)
		if n := differ(t, topic, a, b); n < atLeast {
			t.Errorf("%s has %d records, at least %d are expected", topic, n, atLeast)
		}
	}
}

// run has both engines at work while the records come, and kills the processes
// of the Flink job meanwhile. Silence must not move the watermark: it would move
// by the clock, and differently in two engines.
func (d *disorderCase) run(ctx context.Context, t *testing.T, c kafka.Config) (ofGo, ofFlink string) {
	t.Helper()
	flags := []string{"--kafka", c.Brokers[0], "--total-since", disorderStart, "--disorder", disorder.String(), "--lateness", lateness.String(),
		"--idle", parityLimit.String(), "--rates", d.path("rates.csv"), "--classification", "file://" + d.path("products.parquet")}
	inGo, inFlink, state := follow(t, c, ""), follow(t, c, flinkPrefix), t.TempDir()
	start(t, append([]string{"aggregate"}, flags...)...)
	hurry, sent := make(chan struct{}), make(chan error, 1)
	go func() { sent <- trickle(ctx, c, d.records, hurry) }()
	flink := newFlinkCluster(ctx, t, state, flags...)
	flink.survive(ctx, t, c, inFlink)
	close(hurry)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	inGo.awaitWindow(ctx, t, d.last())
	inFlink.awaitWindow(ctx, t, d.last())
	awaitCheckpoint(ctx, t, state) // what the last windows were written with is committed
	inGo.finish(ctx, t, c)
	inFlink.finish(ctx, t, c)
	flink.do(ctx, t, "stop")
	// Only who reads the state, here with more tasks than wrote it, can say this.
	refuses(ctx, t, startFlink(t, state, append(flags, "--currency", "EUR", "-Dparallelism.default=3")...), 1, "state was written with currency USD", "begin all figures anew")
	d.tear(t, state)
	refuses(ctx, t, startFlink(t, state, flags...), 1, "older checkpoint")
	refuses(ctx, t, startFlink(t, t.TempDir(), "--lateness", "soon", "--speed", "9"), 2, "--kafka: is needed", "--lateness", "--speed: no such flag")
	return inGo.dir, inFlink.dir
}

// tear cuts the newest checkpoint in half.
func (d *disorderCase) tear(t *testing.T, state string) {
	t.Helper()
	metadata := filepath.Join(strings.TrimPrefix(newestCheckpointPath(t, state), "file://"), "_metadata")
	info, err := os.Stat(metadata)
	if err == nil {
		err = os.Truncate(metadata, info.Size()/2)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// refuses waits until a job has ended with the given exit code, having said why.
func refuses(ctx context.Context, t *testing.T, p *process, code int, why ...string) {
	t.Helper()
	select {
	case <-p.ended:
	case <-ctx.Done():
		t.Fatalf("the job goes on: %v", ctx.Err())
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("the job ended with exit code %d, want %d:\n%s", got, code, lastLines(p.out.Bytes(), 20))
	}
	for _, text := range why {
		if !bytes.Contains(p.out.Bytes(), []byte(text)) {
			t.Errorf("the job did not say %q:\n%s", text, lastLines(p.out.Bytes(), 20))
		}
	}
}

// disorderStart is when the world of the disorder case begins: the rates change
// while it lasts.
const disorderStart = "2026-01-04T23:52:00Z"

// disorderCase writes down for the oracle what it sends.
type disorderCase struct {
	dir     string
	records []kafka.Record // all that is sent
	newest  orders.Time    // of all orders but the last
}

func newDisorder(t *testing.T) *disorderCase {
	t.Helper()
	dir, err := filepath.Abs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	begin, err := orders.ParseTime(disorderStart)
	if err != nil {
		t.Fatal(err)
	}
	d := &disorderCase{dir: dir}
	source, err := synthetic.New(synthetic.Config{Seed: 5, Start: begin, Rate: 20, Shoppers: 3000, Arrivals: &synthetic.Arrivals{
		Disorder: 0.1, Late: 0.02, Beyond: 0.005, Duplicate: 0.01,
	}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, d.path("rates.csv"), func(w io.Writer) error { _, err := io.WriteString(w, rates); return err })
	write(t, d.path("products.parquet"), func(w io.Writer) error {
		products, err := source.Products()
		return errors.Join(err, classification.Write(w, products))
	})
	d.prepare(t, source)
	return d
}

func (d *disorderCase) path(name string) string { return filepath.Join(d.dir, name) }

// last is the end of the last window that the case compares.
func (d *disorderCase) last() orders.Time { return d.newest/1000*1000 + 60_000 }

// prepare makes the orders and, in between, what is no order.
func (d *disorderCase) prepare(t *testing.T, source *synthetic.Source) {
	t.Helper()
	add := func(key string, value []byte) {
		d.records = append(d.records, kafka.Record{Key: []byte(key), Value: value})
	}
	bad := badRecords(time.Now())
	write(t, d.path("orders.csv"), func(w io.Writer) error {
		return write2(t, d.path("lines.csv"), func(v io.Writer) error {
			list, lines := csv.NewWriter(w), csv.NewWriter(v)
			err := errors.Join(
				list.Write([]string{"seq", "id", "at_ms", "shopper", "currency", "amount", "country", "from_lat", "from_lon", "to_lat", "to_lon", "mass_g"}),
				lines.Write([]string{"seq", "product", "units"}))
			var o orders.Order
			for seq := range disorderly + 1 {
				if _, next := source.Next(&o); next != nil {
					return next
				}
				if seq == disorderly {
					o.At = d.newest + beyondAll
				} else {
					d.newest = max(d.newest, o.At)
				}
				o.Currency = currencyOf(o.ID)
				add(o.Shop, orders.AppendJSON(nil, &o))
				err = errors.Join(err, list.Write([]string{
					strconv.Itoa(seq), o.ID, strconv.FormatInt(int64(o.At), 10), o.Shopper, o.Currency, strconv.FormatInt(o.Amount, 10), o.To.Country,
					degrees(o.From.Lat), degrees(o.From.Lon), degrees(o.To.Lat), degrees(o.To.Lon), strconv.FormatInt(o.MassG, 10),
				}))
				for _, l := range o.Lines {
					err = errors.Join(err, lines.Write([]string{strconv.Itoa(seq), l.Product, strconv.FormatInt(l.Units, 10)}))
				}
				if seq%badEvery == 0 {
					add("bad", []byte(bad[seq/badEvery%len(bad)]))
				}
			}
			list.Flush()
			lines.Flush()
			return errors.Join(err, list.Error(), lines.Error())
		})
	})
}

// write2 is write within a write.
func write2(t *testing.T, path string, fill func(io.Writer) error) error {
	t.Helper()
	write(t, path, fill)
	return nil
}

// currencyOf gives an order, and so its duplicate, one of a few currencies; the
// last has no rate.
func currencyOf(id string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return []string{"USD", "USD", "USD", "EUR", "JPY", "EUR", "USD", "JPY", "USD", "CHF"}[h.Sum32()%10]
}

func (d *disorderCase) expect(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("day,currency,per_euro\n")
	rows, err := csv.NewReader(strings.NewReader(rates)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		fmt.Fprintf(&b, "%s,EUR,1\n", row[0])
		for i, rate := range row[1:] {
			if rate != "N/A" {
				fmt.Fprintf(&b, "%s,%s,%s\n", row[0], rows[0][i+1], rate)
			}
		}
	}
	if err := os.WriteFile(d.path("per_euro.csv"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	to := d.path("expected.duckdb")
	code, out := oracle(t, "disorder", "--orders", d.path("orders.csv"), "--lines", d.path("lines.csv"), "--rates", d.path("per_euro.csv"),
		"--products", d.path("products.parquet"), "--start", disorderStart, "--to", to,
		"--disorder-ms", strconv.FormatInt(disorder.Milliseconds(), 10), "--lateness-ms", strconv.FormatInt(lateness.Milliseconds(), 10))
	t.Logf("%s", out)
	if code != 0 {
		t.Fatalf("oracle disorder: exit code %d", code)
	}
	return to
}

// kept reads the records of orders.dead or orders.late, each with its key,
// value, headers and time; equal ones are numbered.
func kept(ctx context.Context, t *testing.T, c kafka.Config, topic string) map[string]string {
	t.Helper()
	records, times := map[string]string{}, map[string]int{}
	if _, err := kafka.ReadState(ctx, c, topic, func(r kafka.Record) error {
		slices.SortFunc(r.Headers, func(x, y kafka.Header) int { return cmp.Compare(x.Key, y.Key) })
		text := fmt.Sprintf("%s %q %q", r.At, r.Key, r.Value)
		at := ""
		for _, h := range r.Headers {
			text += fmt.Sprintf(" %s=%q", h.Key, h.Value)
			if h.Key == "offset" {
				at = string(h.Value)
			}
		}
		if at == "" {
			at = text
		}
		times[at]++
		records[fmt.Sprint(at, " #", times[at])] = text
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return records
}
