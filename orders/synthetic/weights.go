package synthetic

import (
	"math/rand/v2"
	"sort"
)

// weights chooses an index by weight. The zero value is empty; it must be given
// a weight before it can choose.
type weights struct {
	upTo []float64 // sum of the weights of this index and all before it
}

func (w *weights) add(weight float64) { w.upTo = append(w.upTo, w.sum()+weight) }

func (w *weights) sum() float64 {
	if len(w.upTo) == 0 {
		return 0
	}
	return w.upTo[len(w.upTo)-1]
}

func (w *weights) pick(r *rand.Rand) int {
	point := r.Float64() * w.sum()
	i := sort.Search(len(w.upTo), func(i int) bool { return w.upTo[i] > point })
	// The product may round up to the sum itself.
	return min(i, len(w.upTo)-1)
}
