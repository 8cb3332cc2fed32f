package runner

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"livemap/aggregate"
	"livemap/orders/classification"
)

// How often the classification is looked at for a change, and how many files a
// folder may hold; a folder with more is refused.
const (
	lookEvery          = 2 * time.Second
	maxClassifications = 1000
)

// catalogue is the classification of products from a Parquet file or a folder
// of them, read again when it changes. A file that cannot be used leaves the
// one in force as it is.
type catalogue struct {
	path string // empty: none

	looked  time.Time
	version string // of the files in force or refused: names, sizes, times
	loaded  *aggregate.Classification
}

// ErrClassification is returned by Run when the classification cannot be read
// at the start. Later changes that cannot be read leave the one in force.
var ErrClassification = errors.New("classification cannot be used")

// newCatalogue returns the catalogue of the files at address, a file:// URL,
// without reading them yet. The first read must succeed: a wrong path is an
// error of configuration.
func newCatalogue(address string) (*catalogue, error) {
	if address == "" {
		return &catalogue{}, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "file" || u.Host != "" || u.Path == "" {
		return nil, fmt.Errorf("classification %q: allowed: file:///path/of/a/file.parquet or of a folder of such files", address)
	}
	c := &catalogue{path: u.Path}
	if _, _, err := c.files(); err != nil {
		return nil, fmt.Errorf("classification %q: %w", address, err)
	}
	return c, nil
}

// load reads the classification for the first time.
func (c *catalogue) load() error {
	if c.path == "" {
		return nil
	}
	files, version, err := c.files()
	if err == nil {
		c.loaded, err = readClassification(files)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrClassification, c.path, err)
	}
	c.version = version
	return nil
}

// current returns the classification in force, nil if there is none.
func (c *catalogue) current() *aggregate.Classification { return c.loaded }

// refresh looks for a change, at most every lookEvery, and reports a new
// classification.
func (c *catalogue) refresh(log *slog.Logger, now time.Time) (*aggregate.Classification, bool) {
	if c.path == "" || now.Sub(c.looked) < lookEvery {
		return nil, false
	}
	c.looked = now
	files, version, err := c.files()
	if err == nil && version == c.version {
		return nil, false
	}
	if err == nil {
		var next *aggregate.Classification
		if next, err = readClassification(files); err == nil {
			c.version, c.loaded = version, next
			log.Info("classification taken over", "path", c.path, "products", next.Len())
			return next, true
		}
	}
	if version != c.version { // say it once for each state of the files
		c.version = version
		log.Warn("classification cannot be used; the one before stays in force", "path", c.path, "err", err)
	}
	return nil, false
}

// files lists the Parquet files and a text that changes when one of them does.
func (c *catalogue) files() (files []string, version string, err error) {
	info, err := os.Stat(c.path)
	if err != nil {
		return nil, err.Error(), err
	}
	files = []string{c.path}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(c.path, "*.parquet")); err != nil {
			return nil, err.Error(), err
		}
	}
	if len(files) == 0 || len(files) > maxClassifications {
		err := fmt.Errorf("%d files named *.parquet; allowed: 1 to %d", len(files), maxClassifications)
		return nil, err.Error(), err
	}
	slices.Sort(files)
	var b strings.Builder
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return nil, err.Error(), err
		}
		fmt.Fprintf(&b, "%s %d %d\n", f, info.Size(), info.ModTime().UnixNano())
	}
	return files, b.String(), nil
}

// readClassification reads files in the order of their names; where two
// classify the same product from the same time, the later file counts.
func readClassification(files []string) (*aggregate.Classification, error) {
	var entries []aggregate.ClassificationEntry
	for _, name := range files {
		read, err := readParquet(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, e := range read {
			entries = append(entries, aggregate.ClassificationEntry{
				Product: e.Product, Title: e.Title, Category: e.Category, ValidFrom: e.ValidFrom,
			})
		}
		if len(entries) > classification.MaxRows {
			return nil, fmt.Errorf("more than %d rows in all files", classification.MaxRows)
		}
	}
	return aggregate.NewClassification(entries), nil
}

func readParquet(name string) ([]classification.Entry, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return classification.Read(f, info.Size())
}
