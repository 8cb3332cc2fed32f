package loadtest

import (
	"encoding/json"
	"fmt"
)

// Count names one of the figures that a swarm adds up. Its text is the key in
// the JSON report; docs/load.md says what each means.
type Count uint8

// What is counted. Those of records are for clients that read all the time and
// for slow ones alike.
const (
	Attempts  Count = iota // connections begun
	Connected              // answered with an event stream
	Resumed                // of Connected: asked to go on from an id
	ClosedByServer
	Left // closed by the pattern: churn, storm, a level of a search given up

	Refused     // connection refused by the system
	Reset       // connection reset
	TimedOut    // no connection or no answer within the connect timeout
	Silent      // nothing arrived for the idle timeout
	Unreachable // any other error of connecting or reading
	Status4xx
	Status5xx
	BadAnswer // not HTTP, not an event stream, broken chunks
	TooLarge  // an event beyond the limit

	Bytes // received, heads included
	Events
	Records
	Hellos
	Heartbeats
	Deletes

	Lost       // records that others received and this client was owed
	Duplicated // records that came to a client again
	Reordered  // records that came after a later one of their partition
	Superseded // records of state topics left out because a newer one of the key came
	Missed     // records in announced gaps
	Behind     // records after the last that a client had when it ended
	Repeated   // records with the id of the record before, where nothing better is known
	Unjudged   // records and spans beyond what the accounts hold
	Malformed  // records whose data could not be read

	Backlog   // records published before the client was connected
	Settling  // records published less than Config.Settle after it was
	Unstamped // records without a time of publication
	Ahead     // records from the future: clocks differ
	Overlong  // latencies beyond an hour, counted as an hour

	GapSlow
	GapExpired
	GapUnknownID
	GapRecreated
	GapTruncated
	GapReset
	GapOther

	GoodbyeDrain
	GoodbyeExpired
	GoodbyeOverload
	GoodbyeBehind
	GoodbyeRebalance
	GoodbyeSlow
	GoodbyeEnd
	GoodbyeOther

	numCounts
)

var countNames = [numCounts]string{
	"attempts", "connected", "resumed", "closed_by_server", "left",
	"refused", "reset", "timed_out", "silent", "unreachable", "status_4xx", "status_5xx", "bad_answer", "too_large",
	"bytes", "events", "records", "hellos", "heartbeats", "deletes",
	"lost", "duplicated", "reordered", "superseded", "missed", "behind", "repeated", "unjudged", "malformed",
	"backlog", "settling", "unstamped", "ahead", "overlong",
	"gap_slow", "gap_expired", "gap_unknown_id", "gap_recreated", "gap_truncated", "gap_reset", "gap_other",
	"goodbye_drain", "goodbye_expired", "goodbye_overload", "goodbye_behind", "goodbye_rebalance", "goodbye_slow", "goodbye_end", "goodbye_other",
}

// String returns the name in the report.
func (c Count) String() string { return countNames[c] }

// errorCounts are the ways in which a connection fails.
var errorCounts = []Count{Refused, Reset, TimedOut, Silent, Unreachable, Status4xx, Status5xx, BadAnswer, TooLarge}

// gapCounts and goodbyeCounts lists the reasons, in the order of their texts.
var (
	gapCounts     = []Count{GapSlow, GapExpired, GapUnknownID, GapRecreated, GapTruncated, GapReset, GapOther}
	goodbyeCounts = []Count{GoodbyeDrain, GoodbyeExpired, GoodbyeOverload, GoodbyeBehind, GoodbyeRebalance, GoodbyeSlow, GoodbyeEnd, GoodbyeOther}
)

// gapCount returns the count of a gap's reason.
func gapCount(reason []byte) Count {
	for _, c := range gapCounts {
		if countNames[c][len("gap_"):] == string(reason) {
			return c
		}
	}
	return GapOther
}

// goodbyeCount returns the count of a goodbye's reason.
func goodbyeCount(reason []byte) Count {
	for _, c := range goodbyeCounts {
		if countNames[c][len("goodbye_"):] == string(reason) {
			return c
		}
	}
	return GoodbyeOther
}

// Counts holds a number for each [Count]. The zero value is ready; it is not
// safe for concurrent use.
type Counts [numCounts]int64

// Sum adds up several counts.
func (c *Counts) Sum(of ...Count) int64 {
	n := int64(0)
	for _, k := range of {
		n += c[k]
	}
	return n
}

// Gaps returns the number of announced gaps.
func (c *Counts) Gaps() int64 { return c.Sum(gapCounts...) }

// Errors returns the number of connections that failed.
func (c *Counts) Errors() int64 { return c.Sum(errorCounts...) }

func (c *Counts) add(o *Counts) {
	for i, n := range o {
		c[i] += n
	}
}

// MarshalJSON writes an object of all counts.
func (c Counts) MarshalJSON() ([]byte, error) {
	m := make(map[string]int64, numCounts)
	for i, n := range c {
		m[countNames[i]] = n
	}
	return json.Marshal(m)
}

// UnmarshalJSON reads what MarshalJSON writes. A count that it does not know is
// an error: adding up without it would be wrong.
func (c *Counts) UnmarshalJSON(b []byte) error {
	var m map[string]int64
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	*c = Counts{}
	for i, name := range countNames {
		c[i] = m[name]
		delete(m, name)
	}
	for name := range m {
		return fmt.Errorf("count %q is unknown: the report comes from another version", name)
	}
	return nil
}
