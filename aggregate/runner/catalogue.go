package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"livemap/aggregate"
	"livemap/orders/classification"
)

// catalogue is the classification of products from Parquet files, read again when
// they change, beside the aggregation. What cannot be used leaves the one in force
// as it is: files that are cut short, of another schema, empty or gone.
type catalogue struct {
	// Immutable.
	address string // empty: none
	log     *slog.Logger
	metrics *Metrics

	// Owned by the goroutine of open and watch.
	shelf   shelf
	version string    // of the files in force
	refused string    // of files that could not be used, or why they could not be listed
	retryAt time.Time // not before, while they stay as they are

	inForce atomic.Pointer[aggregate.Classification]
}

// retryRefused is how long files that could not be used are left alone unless they
// change: what was wrong may have been the way to them.
const retryRefused = time.Minute

// ErrClassification is returned by Run when the classification cannot be read
// at the start. Later changes that cannot be read leave the one in force.
var ErrClassification = errors.New("classification cannot be used")

// open reads the files at the address for the first time: that must succeed, for a
// wrong path is an error of configuration.
func (c *catalogue) open(ctx context.Context) (err error) {
	if c.address == "" {
		return nil
	}
	if c.shelf, err = openShelf(ctx, c.address); err != nil {
		return fmt.Errorf("%w: %w", ErrClassification, err)
	}
	names, version, err := c.shelf.look(ctx)
	if err == nil {
		err = c.take(ctx, names, version)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrClassification, c.address, err)
	}
	return nil
}

// current returns the classification in force, nil if there is none. It can be
// called from any goroutine.
func (c *catalogue) current() *aggregate.Classification { return c.inForce.Load() }

// watch looks for changes until ctx ends.
func (c *catalogue) watch(ctx context.Context) {
	if c.shelf == nil {
		return
	}
	tick := time.NewTicker(c.shelf.every())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.refresh(ctx, time.Now())
		}
	}
}

// refresh looks for a change and takes it over.
func (c *catalogue) refresh(ctx context.Context, now time.Time) {
	names, version, err := c.shelf.look(ctx)
	if err == nil && version == c.version {
		c.refused = ""
		c.metrics.stale.Set(0)
		return
	}
	if err == nil {
		if version == c.refused && now.Before(c.retryAt) {
			return
		}
		if err = c.take(ctx, names, version); err == nil {
			c.log.Info("classification taken over", "address", c.address, "products", c.current().Len())
			return
		}
	}
	if ctx.Err() != nil {
		return
	}
	c.metrics.stale.Set(1)
	if version == "" {
		version = err.Error() // they could not be listed
	}
	if version == c.refused { // it has been said
		c.retryAt = now.Add(retryRefused)
		return
	}
	c.refused, c.retryAt = version, now.Add(retryRefused)
	c.metrics.reloads.WithLabelValues("refused").Inc()
	c.log.Warn("classification cannot be used; the one before stays in force", "address", c.address, "err", err)
}

// take reads files and puts them into force, all at once. Where two classify the
// same product from the same time, the file of the later name counts.
func (c *catalogue) take(ctx context.Context, names []string, version string) error {
	b, rows := aggregate.NewClassificationBuilder(), 0
	for _, name := range names {
		err := c.shelf.read(ctx, name, func(r io.ReaderAt, size int64) error {
			return classification.Scan(r, size, func(e classification.Entry) {
				if rows++; rows <= classification.MaxRows {
					b.Add(aggregate.ClassificationEntry{Product: e.Product, Title: e.Title, Category: e.Category, ValidFrom: e.ValidFrom})
				}
			})
		})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if rows > classification.MaxRows {
			return fmt.Errorf("more than %d rows in all files", classification.MaxRows)
		}
	}
	if _, after, err := c.shelf.look(ctx); err != nil || after != version {
		return errors.Join(errors.New("files changed while they were read"), err)
	}
	c.inForce.Store(b.Build())
	c.version, c.refused = version, ""
	c.metrics.reloads.WithLabelValues("taken").Inc()
	c.metrics.products.Set(float64(c.current().Len()))
	c.metrics.stale.Set(0)
	return nil
}
