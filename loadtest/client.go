package loadtest

import "livemap/sse"

// clientState says what a client waits for.
type clientState uint8

const (
	idle       clientState = iota // for its time to connect
	connecting                    // for the connection
	asking                        // for room to send the rest of its request
	awaiting                      // for the head of the answer
	streaming                     // for events
	done                          // for nothing: it does not come back
)

// client is one client of a loop, which owns it. It lives through many
// connections. Between two events it holds nothing of a stream but its id: the
// parser with the bytes of an unfinished event is borrowed.
type client struct {
	state   clientState
	slow    bool // stops reading at times
	paused  bool // at the moment
	wanted  bool // within the goal
	goodbye bool // the server said it
	ended   bool // the server said that nothing will follow
	joined  bool // the connection was answered with a stream

	index      int32  // of its loop
	generation uint32 // of the connection: timers of older ones are void
	failures   uint8  // in a row
	fd         int32
	sent       int32 // bytes of the request

	due   int64 // when it was to connect, microseconds since the epoch
	asked int64 // when it began to connect
	heard int64 // when it last received bytes

	head   []byte // of the answer, as long as it is not complete
	body   body
	began  bool // bytes of the body came
	parser *sse.Parser
	held   int // bytes fed to parser since it was borrowed

	id         []byte // last event id
	retry      int32  // milliseconds, 0: not told
	lastRecord uint64 // hash of the id of the last record
	cells      []cell
}

// isSlow spreads a share of slow clients evenly over all.
func isSlow(i int, share float64) bool {
	return int(float64(i+1)*share) > int(float64(i)*share)
}
