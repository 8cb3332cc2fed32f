package aggregate

import (
	"strconv"

	"livemap/feed"
	"livemap/orders"
)

// windowRecord is what a feed.Window is made of.
type windowRecord struct {
	scope    string
	end      second
	revision int32 // neverWritten: a metrics record, which has none
	figures  figures
	total    sums
	final    bool
	emitted  orders.Time
}

// appendWindow appends the JSON of the feed.Window that r describes, the same
// bytes as encoding/json gives. It is written by hand because a replay closes
// a million of them as fast as it can. Scopes are plain ASCII without quotes.
func appendWindow(b []byte, r windowRecord, currency string, since orders.Time) []byte {
	b = append(b, `{"v":`...)
	b = strconv.AppendInt(b, feed.Version, 10)
	b = append(b, `,"scope":"`...)
	b = append(b, r.scope...)
	b = append(b, `","window_end":"`...)
	b = r.end.time().Append(b)
	b = append(b, '"')
	if r.revision != neverWritten {
		b = appendField(b, `,"revision":`, int64(r.revision))
	}
	b = appendField(b, `,"orders":`, r.figures.orders)
	b = appendField(b, `,"sales":`, r.figures.sales)
	b = append(b, `,"currency":"`...)
	b = append(b, currency...)
	b = append(b, '"')
	b = appendField(b, `,"shoppers":`, r.figures.shoppers)
	b = appendField(b, `,"distance_m":`, r.figures.distanceM)
	b = appendField(b, `,"carbon_g":`, r.figures.carbonG)
	b = append(b, `,"final":`...)
	b = strconv.AppendBool(b, r.final)
	b = append(b, `,"total":{"since":"`...)
	b = since.Append(b)
	b = append(b, '"')
	b = appendField(b, `,"orders":`, r.total.orders)
	b = appendField(b, `,"sales":`, r.total.sales)
	b = appendField(b, `,"distance_m":`, r.total.distanceM)
	b = appendField(b, `,"carbon_g":`, r.total.carbonG)
	b = append(b, `},"emitted_at":"`...)
	b = r.emitted.Append(b)
	return append(b, `"}`...)
}

func appendField(b []byte, name string, v int64) []byte {
	return strconv.AppendInt(append(b, name...), v, 10)
}
