// Package aggregate turns orders into the figures of the map: sliding minutes
// by country, corrections, peaks, trending products and batches of shipments.
// It is pure: it opens nothing, starts no goroutine that its caller does not ask
// for ([Aggregator.Share]) or that outlasts a call, and knows no clock but the
// times it is given. Package aggregate/runner does the input and output.
// Start at [New], [Aggregator.Add] and [Aggregator.Flush].
//
// # Time
//
// Time is event time (an order's at) in milliseconds. A pane is one second
// [s, s+1 s). A window ends at a whole second W and covers [W - 60 s, W).
// Scopes are "world" and "country/CC" by destination; trending also has
// "category/NAME".
//
// A partition's watermark is the highest at seen in it minus Config.Disorder.
// The watermark is the lowest of the partitions that count, and never goes
// back. A partition stops counting only when it is caught up and has been
// silent for Config.Idle of wall clock, and counts again with its next order.
// One that has never held an order holds the watermark back until then. When
// none counts, the watermark starts from the highest partition's and advances
// with elapsed wall time, so that the last minute becomes final and falls to
// zero.
//
// # What happens to an order
//
// The checks come in this order, against the watermark as it was before the
// order: dead by time (at before 2000, or more than 60 s after the record's
// Kafka timestamp), dead by rate (no exchange rate), duplicate (an accepted
// order of the same partition has the same id within 10 s of event time), late
// (at is before the watermark minus Config.Lateness), accepted. [Verdict] is
// the closed list. Dead orders touch nothing, not even the watermark.
//
// An accepted order adds to its pane. Windows that the watermark has passed are
// closed by the next Flush and written with revision 0; an order for a closed
// pane is a correction: every closed window after it is written again, whole,
// with the next revision, once per Flush. Windows without an order are not
// written: absence means zeros.
//
// # State
//
// Flush also returns what changed in the aggregator's own state, as records for
// a compacted topic. [Restore] builds an aggregator from them. Panes that are
// still open are not in there: they are built again by reading the orders from
// [Position].Replay, see checkpoint.go.
//
// What one Flush writes of it is bounded: the watermark goes no further at once
// than a few megabytes of panes and minutes allow, see pace.go. Memory for
// products is bounded by Config.MaxProductBytes and a number of cells a minute.
//
// An Aggregator is not safe for concurrent use: one goroutine owns it. Two more can
// take part in adding, see lanes.go; results do not depend on it.
package aggregate
