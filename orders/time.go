package orders

import (
	"fmt"
	"time"
)

// Time is a point in time in milliseconds since 1970-01-01T00:00:00Z. All
// records of livemap carry times at this resolution; an int64 keeps them
// comparable and free of pointers.
type Time int64

// The earliest and latest time that RFC 3339 can write: years 0 to 9999.
const (
	minTime Time = -62_167_219_200_000
	maxTime Time = 253_402_300_799_999
)

const timeExample = "2026-11-27T00:00:00.000Z"

// TimeOf rounds t down to the millisecond.
func TimeOf(t time.Time) Time { return Time(t.UnixMilli()) }

// Std returns t as a time.Time in UTC.
func (t Time) Std() time.Time { return time.UnixMilli(int64(t)).UTC() }

// Add returns t moved by d, rounded towards zero to the millisecond.
func (t Time) Add(d time.Duration) Time { return t + Time(d.Milliseconds()) }

// Sub returns the time from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t-u) * time.Millisecond }

// String returns the form that records carry, such as 2026-11-27T00:00:00.000Z.
func (t Time) String() string { return string(t.Append(nil)) }

// Append appends the form of [Time.String], without quotes.
func (t Time) Append(b []byte) []byte {
	if t < minTime || t > maxTime {
		return t.Std().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	}
	s := t.Std()
	year, month, day := s.Date()
	hour, minute, second := s.Clock()
	b = appendDigits(b, year, 4)
	b = append(b, '-')
	b = appendDigits(b, int(month), 2)
	b = append(b, '-')
	b = appendDigits(b, day, 2)
	b = append(b, 'T')
	b = appendDigits(b, hour, 2)
	b = append(b, ':')
	b = appendDigits(b, minute, 2)
	b = append(b, ':')
	b = appendDigits(b, second, 2)
	b = append(b, '.')
	b = appendDigits(b, s.Nanosecond()/int(time.Millisecond), 3)
	return append(b, 'Z')
}

// appendDigits appends n with leading zeros to width digits, at most 4.
func appendDigits(b []byte, n, width int) []byte {
	var d [4]byte
	for i := width - 1; i >= 0; i-- {
		d[i] = byte('0' + n%10)
		n /= 10
	}
	return append(b, d[:width]...)
}

// MarshalJSON returns the quoted form of [Time.String].
func (t Time) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, len(timeExample)+2)
	b = append(b, '"')
	b = t.Append(b)
	return append(b, '"'), nil
}

// UnmarshalJSON accepts any RFC 3339 time and rounds it down to the millisecond.
func (t *Time) UnmarshalJSON(b []byte) error {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return fmt.Errorf("time %s is not a string", excerpt(b))
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
	t, ok := parseTime([]byte(s))
	if !ok {
		return 0, fmt.Errorf("time %s is not RFC 3339, such as %s", excerpt([]byte(s)), timeExample)
	}
	return t, nil
}

func parseTime(b []byte) (Time, bool) {
	if t, ok := parsePlainTime(b); ok {
		return t, true
	}
	p, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil || !strictTime(b) {
		return 0, false
	}
	t := TimeOf(p)
	// An offset can move a time of year 0 or 9999 out of what can be written.
	return t, t >= minTime && t <= maxTime
}

// strictTime refuses what time.Parse takes beyond RFC 3339 (Go issue 54580):
// hours of one digit, a comma before the fraction, offsets of 24 hours or 60
// minutes. b has been parsed.
func strictTime(b []byte) bool {
	if b[13] != ':' || b[19] == ',' {
		return false
	}
	if b[len(b)-1] == 'Z' {
		return true
	}
	hours, _ := digits(b[len(b)-5 : len(b)-3])
	minutes, _ := digits(b[len(b)-2:])
	return hours < 24 && minutes < 60
}

// parsePlainTime reads exactly the form that livemap writes, which is nearly
// all that it reads; the standard library's parser takes a third of the time
// of a whole order.
func parsePlainTime(b []byte) (Time, bool) {
	if len(b) != len(timeExample) || b[4] != '-' || b[7] != '-' || b[10] != 'T' ||
		b[13] != ':' || b[16] != ':' || b[19] != '.' || b[23] != 'Z' {
		return 0, false
	}
	year, ok1 := digits(b[0:4])
	month, ok2 := digits(b[5:7])
	day, ok3 := digits(b[8:10])
	hour, ok4 := digits(b[11:13])
	minute, ok5 := digits(b[14:16])
	second, ok6 := digits(b[17:19])
	milli, ok7 := digits(b[20:23])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7) {
		return 0, false
	}
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	s := daysSinceEpoch(year, month, day)*86_400 + hour*3600 + minute*60 + second
	return Time(s*1000 + milli), true
}

func digits(b []byte) (int64, bool) {
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

func daysIn(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	default:
		return 31
	}
}

// daysSinceEpoch counts days in the proleptic Gregorian calendar, with years
// that begin in March so that the leap day comes last (Hinnant, "chrono-
// Compatible Low-Level Date Algorithms", days_from_civil). year >= 0.
func daysSinceEpoch(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	// The floor of year/400 matters for the first months of year 0 only.
	era := (year+400)/400 - 1
	yearOfEra := year - era*400
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return era*146_097 + dayOfEra - 719_468
}
