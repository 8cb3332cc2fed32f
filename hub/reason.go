package hub

import "slices"

// GapReason says why a client misses records of a topic.
type GapReason string

// The reasons of a gap.
const (
	GapSlow      GapReason = "slow"       // the ring went on without the client
	GapExpired   GapReason = "expired"    // the records are older than what is kept
	GapUnknownID GapReason = "unknown_id" // the id that the client showed cannot be used
	GapRecreated GapReason = "recreated"  // the topic was deleted and made again
	GapTruncated GapReason = "truncated"  // the log ends before the id's offset
	GapReset     GapReason = "reset"      // the log jumped: its reader lost its place
)

// gapReasons lists them all, for metrics.
var gapReasons = []GapReason{GapSlow, GapExpired, GapUnknownID, GapRecreated, GapTruncated, GapReset}

// gapIndex returns the place of a reason in gapReasons.
func gapIndex(r GapReason) uint8 { return uint8(slices.Index(gapReasons, r)) } // #nosec G115 -- a few reasons, all in the list

// CloseReason says why the hub and a client parted.
type CloseReason string

// The reasons of a close. All but Left are told to the client in a goodbye
// event, as far as it still reads; Revoked is told as expired.
const (
	CloseDrain     CloseReason = "drain"     // the pod goes away
	CloseExpired   CloseReason = "expired"   // the token is no longer valid
	CloseRevoked   CloseReason = "revoked"   // the token was withdrawn before its time
	CloseOverload  CloseReason = "overload"  // the pod is full
	CloseBehind    CloseReason = "behind"    // the pod has not read as far as the client's id
	CloseRebalance CloseReason = "rebalance" // the stream reached its greatest age
	CloseSlow      CloseReason = "slow"      // the client accepted nothing for the stall timeout
	CloseEnd       CloseReason = "end"       // the range that was asked for is over
	CloseLeft      CloseReason = "left"      // the client went away
)

// closeReasons lists them all, for metrics.
var closeReasons = []CloseReason{
	CloseDrain, CloseExpired, CloseRevoked, CloseOverload, CloseBehind, CloseRebalance, CloseSlow, CloseEnd, CloseLeft,
}
