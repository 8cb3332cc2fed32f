// Package orders defines the order: the one input of livemap. It holds the
// record's fields, its JSON form in both directions and the rules that a record
// must satisfy. Start at [Decode] and [Order].
//
// It reads and writes no file, socket or clock. Where orders come from is the
// business of the packages orders/synthetic and orders/journey.
package orders

// Order is one sale: who bought what, where it ships from and to. A decoded
// Order has passed [Order.Validate].
type Order struct {
	ID       string // unique within a shop; at most MaxIDBytes
	At       Time   // event time, milliseconds
	Shop     string // also the Kafka key
	Shopper  string
	Currency string // ISO 4217 code of Amount and of each line
	Amount   int64  // minor units of Currency, not negative
	Lines    []Line
	From     Place // where it ships from
	To       Place // where it ships to
	MassG    int64 // grams, not negative
}

// Line is one product of an order.
type Line struct {
	Product string // product id, as the classification knows it
	Units   int64  // not negative: real tills print lines of zero
	Amount  int64  // minor units of the order's currency
}

// Place is one end of a shipment.
type Place struct {
	City    string  // display name, may be empty
	Country string  // ISO 3166-1 alpha-2, upper case
	Lat     float64 // degrees, -90 to 90
	Lon     float64 // degrees, -180 to 180
}
