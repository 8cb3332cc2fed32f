package orders

import (
	"fmt"
	"time"
)

// timeLayout is how livemap writes a time: RFC 3339, UTC, milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z"

// Time is a point in time in milliseconds since 1970-01-01T00:00:00Z. All
// records of livemap carry times at this resolution; an int64 keeps them
// comparable and free of pointers.
type Time int64

// TimeOf rounds t down to the millisecond.
func TimeOf(t time.Time) Time { return Time(t.UnixMilli()) }

// Std returns t as a time.Time in UTC.
func (t Time) Std() time.Time { return time.UnixMilli(int64(t)).UTC() }

// Add returns t moved by d, rounded towards zero to the millisecond.
func (t Time) Add(d time.Duration) Time { return t + Time(d.Milliseconds()) }

// String returns the form that records carry, such as 2026-11-27T00:00:00.000Z.
func (t Time) String() string { return t.Std().Format(timeLayout) }

// Append appends the form of [Time.String], without quotes.
func (t Time) Append(b []byte) []byte { return t.Std().AppendFormat(b, timeLayout) }

// MarshalJSON returns the quoted form of [Time.String].
func (t Time) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, len(timeLayout)+2)
	b = append(b, '"')
	b = t.Append(b)
	return append(b, '"'), nil
}

// UnmarshalJSON accepts any RFC 3339 time and rounds it down to the millisecond.
func (t *Time) UnmarshalJSON(b []byte) error {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return fmt.Errorf("time %s is not a string", b)
	}
	p, err := ParseTime(string(b[1 : len(b)-1]))
	if err != nil {
		return err
	}
	*t = p
	return nil
}

// ParseTime reads an RFC 3339 time and rounds it down to the millisecond.
func ParseTime(s string) (Time, error) {
	p, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, fmt.Errorf("time %q is not RFC 3339, such as 2026-11-27T00:00:00.000Z", s)
	}
	return TimeOf(p), nil
}
