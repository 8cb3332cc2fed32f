package aggregate

import (
	"encoding/json"
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

// appendShipments appends the JSON of a record, the same bytes as encoding/json
// gives: two hundred countries have two thousand of them a second. Degrees are
// whole or half ones.
func appendShipments(b []byte, r *feed.Shipments) []byte {
	b = appendField(b, `{"v":`, int64(r.V))
	b = appendText(append(b, `,"scope":`...), r.Scope)
	b = r.At.Append(append(b, `,"at":"`...))
	b = appendField(b, `","shown":`, r.Shown)
	b = appendField(b, `,"of":`, r.Of)
	b = append(b, `,"arcs":[`...)
	for i := range r.Arcs {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendDegrees(append(b, `{"from":`...), r.Arcs[i].From)
		b = appendDegrees(append(b, `,"to":`...), r.Arcs[i].To)
		b = append(appendField(b, `,"n":`, r.Arcs[i].N), '}')
	}
	b = append(b, `],"latest":[`...)
	for i := range r.Latest {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendLatest(b, &r.Latest[i])
	}
	b = r.EmittedAt.Append(append(b, `],"emitted_at":"`...))
	return append(b, `"}`...)
}

func appendLatest(b []byte, l *feed.Latest) []byte {
	b = l.At.Append(append(b, `{"at":"`...))
	b = appendText(append(b, `","title":`...), l.Title)
	b = appendField(b, `,"amount":`, l.Amount)
	b = appendText(append(b, `,"currency":`...), l.Currency)
	b = appendText(append(b, `,"from":`...), l.From)
	b = appendText(append(b, `,"to":`...), l.To)
	return append(b, '}')
}

func appendDegrees(b []byte, d feed.Degrees) []byte {
	b = appendHalves(append(b, '['), int64(d[0]*cellsPerDegree))
	b = appendHalves(append(b, ','), int64(d[1]*cellsPerDegree))
	return append(b, ']')
}

func appendHalves(b []byte, n int64) []byte {
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	b = strconv.AppendInt(b, n/cellsPerDegree, 10)
	if n%cellsPerDegree != 0 {
		b = append(b, ".5"...)
	}
	return b
}

// appendText appends a quoted text. What is not plain is left to encoding/json,
// which escapes for pages of HTML too.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // which cannot be: every string can be written
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
