package trial

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// bucket is one of a Prometheus histogram: how many took at most so long.
type bucket struct {
	seconds float64
	count   float64 // with those of the buckets before
}

// deliveries is ours: from a record's arrival in the pod until a client that
// waited for it was sent it.
const deliveries = "livemap_hub_delivery_seconds"

// histogram reads one of the server's; nil where the server has none.
func (s *stage) histogram(ctx context.Context, name string) ([]bucket, error) {
	if s.metrics == "" {
		return nil, nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.metrics+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	defer resp.Body.Close()
	b, err := parseHistogram(resp.Body, name)
	if err == nil && b == nil {
		err = fmt.Errorf("metrics: there is no %s", name)
	}
	return b, err
}

func parseHistogram(text io.Reader, name string) (all []bucket, err error) {
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), name+`_bucket{le="`)
		if !ok {
			continue
		}
		limit, count, _ := strings.Cut(rest, `"} `)
		var b bucket
		if b.seconds, err = strconv.ParseFloat(limit, 64); err != nil {
			return nil, fmt.Errorf("metrics: %q: %w", lines.Text(), err)
		}
		if b.count, err = strconv.ParseFloat(count, 64); err != nil {
			return nil, fmt.Errorf("metrics: %q: %w", lines.Text(), err)
		}
		all = append(all, b)
	}
	return all, lines.Err()
}

// quantile returns in how many seconds that share was done between two looks at
// a histogram: the limit of the bucket that it falls into, so never too little.
func quantile(before, after []bucket, share float64) float64 {
	if len(after) == 0 || len(before) != len(after) {
		return math.NaN()
	}
	last := len(after) - 1
	total := after[last].count - before[last].count
	for i := range after {
		if n := after[i].count - before[i].count; total > 0 && n >= share*total {
			return after[i].seconds
		}
	}
	return math.NaN()
}
