package numbered

import "fmt"

// maxNumber bounds what a ledger keeps a bit for: a larger number is a phantom.
const maxNumber = 1 << 24

// Ledger is what one client received. It is for one goroutine.
type Ledger struct {
	partitions []account
	board      map[string]int64
	gaps       []Gap

	duplicated, reordered, phantoms int64
	stateReordered                  int64
}

// account is of one partition.
type account struct {
	seen []uint64 // a bit for each number
	last int64    // highest number received; -1: none
	next int64    // offset behind the last record or gap
}

// Gap is what a client was told that it missed.
type Gap struct {
	Topic     string
	Partition int // -1: not told
	Reason    string
	From, To  int64
	AtMost    int64 // -1: not told
	Excused   bool  // the client was away for longer than max_age
}

// Event enters the data of an event of Topic: an envelope.
func (l *Ledger) Event(data []byte) {
	partition, ok := number(data, `"partition":`)
	offset, ok2 := number(data, `"offset":`)
	n, ok3 := number(data, `"value":{"n":`)
	if !ok || !ok2 || !ok3 {
		n = Aborted // whatever it is, it is none of ours
	}
	l.Record(int(partition), offset, n)
}

// ParseGap reads the data of an event gap.
func ParseGap(data []byte) Gap {
	g := Gap{Topic: text(data, `"topic":`), Partition: -1, Reason: text(data, `"reason":`), From: -1, To: -1, AtMost: -1}
	if n, ok := number(data, `"partition":`); ok {
		g.Partition = int(n)
	}
	g.From, _ = number(data, `"from":`)
	g.To, _ = number(data, `"to":`)
	g.AtMost, _ = number(data, `"at_most":`)
	return g
}

// Record enters a record of Topic.
func (l *Ledger) Record(partition int, offset, n int64) {
	if partition < 0 || partition > 1<<10 || n < 0 || n > maxNumber {
		l.phantoms++
		return
	}
	a := l.account(partition)
	for int(n/64) >= len(a.seen) {
		a.seen = append(a.seen, make([]uint64, max(16, len(a.seen)))...)
	}
	word, bit := &a.seen[n/64], uint64(1)<<(n%64)
	switch {
	case *word&bit != 0:
		l.duplicated++
	case n < a.last:
		l.reordered++
	}
	*word |= bit
	a.last, a.next = max(a.last, n), max(a.next, offset+1)
}

// Value enters a value of Board. A value that comes again is no fault: applying
// one twice does no harm. One that goes back is.
func (l *Ledger) Value(key string, n int64) {
	if n < 0 {
		l.phantoms++
		return
	}
	if l.board == nil {
		l.board = map[string]int64{}
	}
	if had, ok := l.board[key]; ok && n < had {
		l.stateReordered++
	}
	l.board[key] = n
}

// Gap enters an announced gap.
func (l *Ledger) Gap(g Gap) {
	l.gaps = append(l.gaps, g)
	if g.Topic == Topic && g.Partition >= 0 && g.Partition <= 1<<10 {
		a := l.account(g.Partition)
		a.next = max(a.next, g.To)
	}
}

func (l *Ledger) account(partition int) *account {
	for partition >= len(l.partitions) {
		l.partitions = append(l.partitions, account{last: -1})
	}
	return &l.partitions[partition]
}

func (a *account) has(n int64) bool {
	return int(n/64) < len(a.seen) && a.seen[n/64]&(1<<(n%64)) != 0
}

// Verdict is a ledger held against the truth, or the sum of several.
type Verdict struct {
	Received, Lost, Duplicated, Reordered int64
	FalseGaps, Gaps, Gapped               int64
	Phantoms                              int64 // shown, but never committed
	Why                                   []string
}

// Good says whether every promise was kept.
func (v Verdict) Good() bool {
	return v.Lost == 0 && v.Duplicated == 0 && v.Reordered == 0 && v.FalseGaps == 0 && v.Phantoms == 0
}

// maxWhy bounds the reasons that a verdict lists.
const maxWhy = 20

// Add adds another verdict.
func (v *Verdict) Add(o Verdict) {
	v.Received += o.Received
	v.Lost += o.Lost
	v.Duplicated += o.Duplicated
	v.Reordered += o.Reordered
	v.FalseGaps += o.FalseGaps
	v.Gaps += o.Gaps
	v.Gapped += o.Gapped
	v.Phantoms += o.Phantoms
	v.Why = append(v.Why, o.Why[:min(len(o.Why), maxWhy-min(maxWhy, len(v.Why)))]...)
}

func (v *Verdict) because(format string, args ...any) {
	if len(v.Why) < maxWhy {
		v.Why = append(v.Why, fmt.Sprintf(format, args...))
	}
}

// Judge holds the ledger of a client that has followed Topic from before its
// first record, and Board if board says so, against the truth. For every
// committed number exactly one must be true: it was received, or it lies in a
// gap that the client was told of.
func (l *Ledger) Judge(t *Truth, board bool) Verdict {
	v := Verdict{Duplicated: l.duplicated, Reordered: l.reordered + l.stateReordered, Phantoms: l.phantoms, Gaps: int64(len(l.gaps))}
	gapped := make([]map[int64]bool, len(t.partitions)) // by offset
	for _, g := range l.gaps {
		l.judgeGap(t, g, gapped, &v)
	}
	for p, committed := range t.partitions {
		a := l.account(p)
		for _, e := range committed {
			switch {
			case a.has(e.n):
				v.Received++
			case gapped[p][e.offset]:
				v.Gapped++
			default:
				v.Lost++
				v.because("lost %s/%d number %d at offset %d; the last received is %d", Topic, p, e.n, e.offset, a.last)
			}
		}
		l.judgePhantoms(t, p, &v)
	}
	for key, n := range t.board {
		if board && l.board[key] != n {
			v.Lost++
			v.because("the client's %s is %d, the log's %d", key, l.board[key], n)
		}
	}
	return v
}

// judgeGap decides whether a gap was true: the client was owed it, none of the
// records in it came by another way, and there are no more of them than told.
func (l *Ledger) judgeGap(t *Truth, g Gap, gapped []map[int64]bool, v *Verdict) {
	inside := t.between(g.Partition, g.From, g.To)
	missed := 0
	for _, e := range inside {
		if l.account(g.Partition).has(e.n) {
			continue
		}
		missed++
		if gapped[g.Partition] == nil {
			gapped[g.Partition] = map[int64]bool{}
		}
		gapped[g.Partition][e.offset] = true
	}
	// Where a log begins behind a transaction's marker, nobody can tell the marker
	// from a record: a gap of at most one is what is known then.
	deleted := g.Reason == "expired" && g.To <= t.begins[int32(g.Partition)] //nolint:gosec // a handful
	vain := len(inside) == 0 && !deleted
	if g.Topic != Topic || g.Partition < 0 || !g.Excused || vain || missed < len(inside) || int64(missed) > g.AtMost {
		v.FalseGaps++
		v.because("false gap %+v: %d records are in it, %d of them were missed", g, len(inside), missed)
	}
}

// judgePhantoms counts numbers that were received and never committed.
func (l *Ledger) judgePhantoms(t *Truth, p int, v *Verdict) {
	a := l.account(p)
	for n := range a.last + 1 {
		if a.has(n) && !t.holds(p, n) {
			v.Phantoms++
			v.because("%s/%d number %d was shown and is not in the log", Topic, p, n)
		}
	}
}

// At says whether the client has come to the end of the truth, and to that of
// Board if board says so.
func (l *Ledger) At(t *Truth, board bool) bool {
	for key, n := range t.board {
		if board && l.board[key] != n {
			return false
		}
	}
	for p, committed := range t.partitions {
		if len(committed) > 0 && l.account(p).next <= committed[len(committed)-1].offset {
			return false
		}
	}
	return true
}
