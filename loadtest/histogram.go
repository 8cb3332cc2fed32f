package loadtest

import (
	"encoding/json"
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Geometry of all histograms: microseconds up to an hour, three digits exact.
// Histograms of one geometry add up without loss.
const (
	lowestMicros  = 1
	highestMicros = 3_600_000_000
	exactDigits   = 3
)

// newRecorder returns a histogram for a loop to record into: fast, and a
// hundred times the size of what it becomes in a report.
func newRecorder() *hdrhistogram.Histogram {
	return hdrhistogram.New(lowestMicros, highestMicros, exactDigits)
}

// record counts a latency in microseconds; those beyond an hour count as an
// hour, and are counted apart as well.
func record(h *hdrhistogram.Histogram, micros int64, n *Counts) {
	if micros > highestMicros {
		micros = highestMicros
		n[Overlong]++
	}
	// It cannot fail: the value is within the geometry.
	_ = h.RecordValue(max(micros, 0))
}

// Histogram is a distribution of latencies in microseconds. The zero value is
// empty and ready. It is not safe for concurrent use.
type Histogram struct {
	packed *hdrhistogram.PackedHistogram
}

// Count returns the number of values.
func (h *Histogram) Count() int64 {
	if h.packed == nil {
		return 0
	}
	return h.packed.TotalCount()
}

// Quantile returns the value, in microseconds, that a share q (0 to 1) of all
// values does not exceed, 0 without values.
func (h *Histogram) Quantile(q float64) int64 {
	if h.Count() == 0 {
		return 0
	}
	return h.packed.ValueAtPercentile(q * 100)
}

// Max returns the largest value in microseconds.
func (h *Histogram) Max() int64 {
	if h.Count() == 0 {
		return 0
	}
	return h.packed.Max()
}

// Mean returns the mean in microseconds.
func (h *Histogram) Mean() float64 {
	if h.Count() == 0 {
		return 0
	}
	return h.packed.Mean()
}

func (h *Histogram) init() {
	if h.packed == nil {
		h.packed = hdrhistogram.NewPacked(lowestMicros, highestMicros, exactDigits)
	}
}

func (h *Histogram) add(o *Histogram) error {
	if o.Count() == 0 {
		return nil
	}
	h.init()
	if dropped := h.packed.Merge(o.packed); dropped > 0 {
		return fmt.Errorf("add histograms: %d values do not fit", dropped)
	}
	return nil
}

// take moves what was recorded into h.
func (h *Histogram) take(from *hdrhistogram.Histogram) {
	if from.TotalCount() == 0 {
		return
	}
	h.init()
	// It cannot drop any: the geometry is the same, and the total far below 2^63.
	h.packed.MergeFrom(from)
}

// histogramJSON is a histogram in a report: the figures are for readers, hdr is
// the whole of it, in the HdrHistogram V2 encoding (compressed, base64).
type histogramJSON struct {
	Unit  string `json:"unit"`
	Count int64  `json:"count"`
	P50   int64  `json:"p50"`
	P99   int64  `json:"p99"`
	Max   int64  `json:"max"`
	HDR   string `json:"hdr,omitempty"`
}

// MarshalJSON writes the histogram without loss.
func (h Histogram) MarshalJSON() ([]byte, error) {
	j := histogramJSON{Unit: "us", Count: h.Count(), P50: h.Quantile(0.5), P99: h.Quantile(0.99), Max: h.Max()}
	if j.Count > 0 {
		b, err := h.packed.EncodeV2()
		if err != nil {
			return nil, fmt.Errorf("encode histogram: %w", err)
		}
		j.HDR = string(b)
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes, and refuses other geometries:
// they would not add up exactly.
func (h *Histogram) UnmarshalJSON(b []byte) error {
	var j histogramJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	h.packed = nil
	if j.HDR == "" && j.Count == 0 {
		return nil
	}
	p, err := hdrhistogram.DecodePacked([]byte(j.HDR))
	if err != nil {
		return fmt.Errorf("decode histogram: %w", err)
	}
	if p.LowestTrackableValue() != lowestMicros || p.HighestTrackableValue() != highestMicros || p.SignificantFigures() != exactDigits {
		return fmt.Errorf("decode histogram: its range is %d to %d with %d digits: it comes from another version",
			p.LowestTrackableValue(), p.HighestTrackableValue(), p.SignificantFigures())
	}
	if p.TotalCount() != j.Count {
		return fmt.Errorf("decode histogram: it holds %d values, and says %d", p.TotalCount(), j.Count)
	}
	h.packed = p
	return nil
}
