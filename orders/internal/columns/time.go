package columns

import (
	"fmt"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"livemap/orders"
)

// TimeColumn is a column of points in time.
type TimeColumn struct {
	Column
	unit time.Duration // of an integer; 0 for INT96
}

// TimeColumn finds a column of TIMESTAMP in any unit, DATE, or INT96. A
// timestamp without time zone is taken for UTC.
func (f *File) TimeColumn(name string) (TimeColumn, error) {
	c, err := f.Column(name, parquet.Int64, parquet.Int32, parquet.Int96)
	if err != nil {
		return TimeColumn{}, err
	}
	t := TimeColumn{Column: c}
	if c.Kind() == parquet.Int96 {
		return t, nil
	}
	if t.unit = unitOf(c.leaf.Node.Type()); t.unit == 0 {
		return TimeColumn{}, fmt.Errorf("column %s is of type %v, wants TIMESTAMP or DATE", name, c.leaf.Node.Type())
	}
	return t, nil
}

// unitOf returns what one of an integer column means, or 0 if it is no time.
func unitOf(t parquet.Type) time.Duration {
	if logical := t.LogicalType(); logical != nil {
		switch l := logical.Value.(type) {
		case *format.TimestampType:
			if l.Unit.Value != nil {
				return l.Unit.Value.Duration()
			}
		case *format.DateType:
			return 24 * time.Hour
		}
		return 0
	}
	// Files of older writers.
	if converted := t.ConvertedType(); converted != nil {
		switch *converted {
		case deprecated.TimestampMillis:
			return time.Millisecond
		case deprecated.TimestampMicros:
			return time.Microsecond
		case deprecated.Date:
			return 24 * time.Hour
		}
	}
	return 0
}

// Time returns a value of the column, which is not NULL, rounded down to the
// millisecond.
func (c TimeColumn) Time(v parquet.Value) orders.Time {
	switch v.Kind() {
	case parquet.Int96:
		return int96Time(v.Int96())
	case parquet.Int32:
		return orders.Time(int64(v.Int32()) * c.unit.Milliseconds())
	}
	n := v.Int64()
	if c.unit >= time.Millisecond {
		return orders.Time(n * c.unit.Milliseconds())
	}
	perMilli := int64(time.Millisecond / c.unit)
	t := n / perMilli
	if n%perMilli < 0 {
		t--
	}
	return orders.Time(t)
}

// int96Time reads what Spark, Hive and Impala wrote before there was TIMESTAMP:
// nanoseconds of the day in 64 bits, then the Julian day number.
func int96Time(v deprecated.Int96) orders.Time {
	const epochDay = 2_440_588 // Julian day number of 1970-01-01
	const millisOfDay = 86_400_000
	nanos := int64(v[1])<<32 | int64(v[0])
	day := int64(int32(v[2])) - epochDay
	return orders.Time(day*millisOfDay + nanos/int64(time.Millisecond))
}
