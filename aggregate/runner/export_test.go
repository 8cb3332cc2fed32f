package runner

import "time"

// WithClock returns c with another clock than the machine's: wall is what it shows,
// elapsed counts what has passed.
func (c Config) WithClock(wall func() time.Time, elapsed func() time.Duration) Config {
	c.clock = source{wall, elapsed}
	return c
}
