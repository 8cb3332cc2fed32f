package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"livemap/feed"
	"livemap/kafka"
	"livemap/orders"
	"livemap/orders/classification"
)

// expected is what the windows must hold, as second by second sums by scope. It
// is worked out from the orders as they are made, without livemap's code.
type expected struct {
	Orders int64               // records, repeated ones among them
	Scopes map[string][]figure // by second after begin
	// Shoppers are those of the world by whole minute after begin, of which the first
	// has none: at minute n is the window that ends n minutes after begin.
	Shoppers []int64
}

type figure struct{ Orders, Sales, Metres, Carbon int64 }

func (f *figure) add(o figure, sign int64) {
	f.Orders += sign * o.Orders
	f.Sales += sign * o.Sales
	f.Metres += sign * o.Metres
	f.Carbon += sign * o.Carbon
}

func (e *expected) add(o *orders.Order) {
	second := int(o.At-begin) / 1000
	metres := haversine(o.From, o.To)
	one := figure{1, o.Amount, metres, int64(math.Floor(float64(o.MassG)*float64(metres)*62/1e9 + 0.5))}
	for _, scope := range []string{feed.World, "country/" + o.To.Country} {
		for len(e.Scopes[scope]) <= second {
			e.Scopes[scope] = append(e.Scopes[scope], figure{})
		}
		e.Scopes[scope][second].add(one, 1)
	}
}

// crowd counts the shoppers of whole minutes, exactly: a bit for each.
type crowd struct {
	minutes [][]uint64
	counts  []int64
}

func (c *crowd) add(at orders.Time, shopper, of int64) {
	minute := int(at-begin)/60_000 + 1
	for len(c.minutes) <= minute {
		c.minutes, c.counts = append(c.minutes, make([]uint64, (of+63)/64)), append(c.counts, 0)
	}
	word, bit := &c.minutes[minute][shopper/64], uint64(1)<<(shopper%64)
	if *word&bit == 0 {
		*word |= bit
		c.counts[minute]++
	}
	if minute > 2 {
		c.minutes[minute-2] = nil // nobody is a minute late
	}
}

// haversine returns the distance on a sphere of the Earth's mean radius.
func haversine(a, b orders.Place) int64 {
	const rad = math.Pi / 180
	dLat, dLon := (b.Lat-a.Lat)*rad, (b.Lon-a.Lon)*rad
	h := math.Pow(math.Sin(dLat/2), 2) + math.Cos(a.Lat*rad)*math.Cos(b.Lat*rad)*math.Pow(math.Sin(dLon/2), 2)
	return int64(math.Round(2 * 6_371_008.8 * math.Asin(math.Sqrt(h))))
}

// plant puts one cent too much into one second of the world.
func (e *expected) plant() { e.Scopes[feed.World][len(e.Scopes[feed.World])/2].Sales++ }

// repeatEvery is how often an order comes twice.
const repeatEvery = 2000

// ensureOrders makes the backlog unless it was made before.
func (s settings) ensureOrders(ctx context.Context, k kafka.Config) (*expected, error) {
	path := filepath.Join(s.dir, "expected.json")
	b, err := os.ReadFile(path)
	if err == nil {
		e := new(expected)
		return e, json.Unmarshal(b, e)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	slog.Info("making the backlog; it is kept for the next time", "orders", s.Orders, "in", s.dir)
	if err := s.writeClassification(); err != nil {
		return nil, err
	}
	if err := s.recreate(ctx, k, feed.TopicOrders); err != nil {
		return nil, err
	}
	e, err := s.produce(ctx, k)
	if err != nil {
		return nil, err
	}
	if b, err = json.Marshal(e); err != nil {
		return nil, err
	}
	return e, os.WriteFile(path, b, 0o600)
}

func (s settings) produce(ctx context.Context, k kafka.Config) (*expected, error) {
	producer, err := kafka.NewProducer(k)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	e := &expected{Scopes: map[string][]figure{}}
	var shoppers crowd
	from, told := newSource(s.world), time.Now()
	for n := range s.Orders {
		o := from.next(n)
		e.add(o)
		shoppers.add(o.At, from.shopper, s.Shoppers)
		value := orders.AppendJSON(make([]byte, 0, 480), o)
		if s.Shuffled {
			value = shuffle(from, value)
		}
		times := 1
		if n%repeatEvery == 0 {
			times = 2
		}
		for range times {
			e.Orders++
			if err := producer.Produce(ctx, kafka.Record{Topic: feed.TopicOrders, Key: []byte(o.Shop), Value: value}); err != nil {
				return nil, err
			}
		}
		if n%100_000 == 0 && time.Since(told) > 10*time.Second {
			told = time.Now()
			slog.Info("making orders", "made", n)
		}
	}
	e.Shoppers = shoppers.counts
	return e, producer.Flush(ctx)
}

// shuffle writes the fields of an order in another order.
func shuffle(s *source, value []byte) []byte {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(value, &fields); err != nil {
		panic(err) // AppendJSON writes JSON
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	s.random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var b bytes.Buffer
	for i, name := range names {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(`"` + name + `":`)
		b.Write(fields[name])
	}
	b.WriteByte('}')
	return b.Bytes()
}

// writeClassification writes a file of all products.
func (s settings) writeClassification() error {
	list := make([]orders.Product, s.Products)
	for i := range list {
		id := productName(i)
		list[i] = orders.Product{ID: id, Title: "Title of " + id, Category: "category " + string(rune('a'+i%20))}
	}
	f, err := os.Create(filepath.Join(s.dir, "products.parquet"))
	if err != nil {
		return err
	}
	return errors.Join(classification.Write(f, list), f.Close())
}
