package loadtest

import (
	"cmp"
	"maps"
	"slices"
)

// peak returns the most clients connected at the end of an interval.
func (p *Report) peak() int64 {
	most := int64(0)
	for _, at := range p.Points {
		most = max(most, at.Connected)
	}
	return most
}

// rate returns records per second over the whole run.
func (p *Report) rate() float64 {
	if d := p.Ended.Sub(p.Started).Seconds(); d > 0 {
		return float64(p.Counts[Records]) / d
	}
	return 0
}

// errorTexts returns the texts of errors, the most frequent first.
func (p *Report) errorTexts() []string {
	return slices.SortedFunc(maps.Keys(p.Errors), func(a, b string) int {
		return cmp.Or(cmp.Compare(p.Errors[b], p.Errors[a]), cmp.Compare(a, b))
	})
}

// Faults returns how many records were lost, duplicated, reordered or repeated,
// and how many connections failed.
func (p *Report) Faults() int64 {
	return p.Counts.Sum(Lost, Duplicated, Reordered, Repeated) + p.Counts.Errors()
}
