package hub

import (
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
)

// keySet is the effective set of keys of a subscription in canonical form: the
// same set has the same lists. Both nil: every key. Otherwise keys is not nil.
type keySet struct {
	keys       []string // exact, sorted; none begins with one of beginnings
	beginnings []string // sorted; none begins with another
}

// keySetOf returns the set that a subscription asks for, or ErrKeys.
func keySetOf(s Subscription) (keySet, error) {
	if s.Keys == nil && s.Beginnings == nil || slices.Contains(s.Beginnings, "") {
		return keySet{}, nil
	}
	set := keySet{keys: slices.Clone(s.Keys)}
	sorted := slices.Clone(s.Beginnings)
	slices.Sort(sorted)
	for _, b := range sorted { // the shorter of two nested beginnings sorts first
		if n := len(set.beginnings); n == 0 || !strings.HasPrefix(b, set.beginnings[n-1]) {
			set.beginnings = append(set.beginnings, b)
		}
	}
	slices.Sort(set.keys)
	set.keys = slices.DeleteFunc(slices.Compact(set.keys), func(k string) bool { return begins(set.beginnings, k) })
	if n := len(set.keys) + len(set.beginnings); n == 0 || n > MaxViewKeys {
		return keySet{}, fmt.Errorf("%w: %d, allowed are 1 to %d", ErrKeys, n, MaxViewKeys)
	}
	if set.keys == nil {
		set.keys = []string{}
	}
	return set, nil
}

// hash names the set in an id.
func (s keySet) hash() (none keyHash) {
	if s.keys == nil {
		return none
	}
	return hashKeys(s.keys, s.beginnings...)
}

// begins says whether key begins with one of a canonical list. It looks at the
// greatest that does not sort after key: were a smaller one to match, the
// greatest would begin with it, and the list holds no such pair.
func begins(beginnings []string, key string) bool {
	i := sort.Search(len(beginnings), func(i int) bool { return beginnings[i] > key })
	return i > 0 && strings.HasPrefix(key, beginnings[i-1])
}

// beginnings are the postings of a ring that list frames by how their keys
// begin. Like those of exact keys they are shared by all views, and unlike them
// they exist only while a view wants them: which keys there will be nobody
// knows. Filling the views when a new key turns up instead would give each view
// as many postings as there are keys, and each new key a walk over all views.
//
// A new frame is looked up once for each length that occurs, not once for each
// beginning: a thousand subjects with user/NAME/ each have a few lengths.
type beginnings struct {
	postings map[string]*posting
	counts   map[int]int // beginnings of a length
	lengths  []int       // that occur, ascending
}

// of yields the postings whose beginning a key has.
func (b *beginnings) of(key string) iter.Seq[*posting] {
	return func(yield func(*posting) bool) {
		for _, n := range b.lengths {
			if n > len(key) {
				return
			}
			if p := b.postings[key[:n]]; p != nil && !yield(p) {
				return
			}
		}
	}
}

// remove forgets a posting that no view wants any more.
func (b *beginnings) remove(p *posting) {
	delete(b.postings, p.key)
	n := len(p.key)
	if b.counts[n]--; b.counts[n] == 0 {
		delete(b.counts, n)
		b.lengths = slices.DeleteFunc(b.lengths, func(l int) bool { return l == n })
	}
}

// beginning returns the posting of the frames whose keys begin like that,
// filled with what the ring holds. Needs mu.
func (r *ring) beginning(text string) *posting {
	b := &r.wild
	if p := b.postings[text]; p != nil {
		return p
	}
	if b.postings == nil {
		b.postings, b.counts = map[string]*posting{}, map[int]int{}
	}
	p := &posting{key: text, evicted: r.first - 1}
	for _, s := range r.segments {
		for i, f := range s.frames {
			if f.post != &r.everyone && f.post != &r.keyless && strings.HasPrefix(f.post.key, text) {
				p.frames = append(p.frames, s.first+uint64(i))
			}
		}
	}
	b.postings[text] = p
	if b.counts[len(text)]++; b.counts[len(text)] == 1 {
		at, _ := slices.BinarySearch(b.lengths, len(text))
		b.lengths = slices.Insert(b.lengths, at, len(text))
	}
	return p
}

// dropBeginnings forgets those of a view's postings that no view wants any more.
// Needs mu.
func (r *ring) dropBeginnings(v *view) {
	for _, text := range v.beginnings {
		if p := r.wild.postings[text]; p != nil && len(p.views) == 0 {
			r.wild.remove(p)
		}
	}
}
