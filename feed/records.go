package feed

import "livemap/orders"

// Window is a record of the topics metrics and windows: the figures of one
// scope over the sixty seconds that end at WindowEnd (exclusive). Money is in
// minor units of Currency, distance in metres, carbon in grams of CO2
// equivalent.
type Window struct {
	V         int         `json:"v"`
	Scope     string      `json:"scope"`
	WindowEnd orders.Time `json:"window_end"`
	// Revision counts the corrections of a window in the topic windows; metrics
	// records leave it out.
	Revision  *int        `json:"revision,omitempty"`
	Orders    int64       `json:"orders"`
	Sales     int64       `json:"sales"`
	Currency  string      `json:"currency"`
	Shoppers  int64       `json:"shoppers"`
	DistanceM int64       `json:"distance_m"`
	CarbonG   int64       `json:"carbon_g"`
	Final     bool        `json:"final"`
	Total     Total       `json:"total"`
	EmittedAt orders.Time `json:"emitted_at"`
}

// Total sums all orders with Since <= at < WindowEnd of the record that holds it.
type Total struct {
	Since     orders.Time `json:"since"`
	Orders    int64       `json:"orders"`
	Sales     int64       `json:"sales"`
	DistanceM int64       `json:"distance_m"`
	CarbonG   int64       `json:"carbon_g"`
}

// HistoryMinutes is how many whole minutes a History record covers.
const HistoryMinutes = 60

// History is a record of the topic history: the last sixty whole minutes of
// each figure, oldest first, the last of them ending at WindowEnd. Minutes
// before the first order hold zero.
type History struct {
	V         int         `json:"v"`
	Scope     string      `json:"scope"`
	WindowEnd orders.Time `json:"window_end"`
	Currency  string      `json:"currency"`
	Orders    []int64     `json:"orders"`
	Sales     []int64     `json:"sales"`
	Shoppers  []int64     `json:"shoppers"`
	DistanceM []int64     `json:"distance_m"`
	CarbonG   []int64     `json:"carbon_g"`
	Peak      Peaks       `json:"peak"`
	EmittedAt orders.Time `json:"emitted_at"`
}

// Peaks holds the highest final window of each figure so far, windows at their
// last revision.
type Peaks struct {
	Orders    Peak `json:"orders"`
	Sales     Peak `json:"sales"`
	Shoppers  Peak `json:"shoppers"`
	DistanceM Peak `json:"distance_m"`
	CarbonG   Peak `json:"carbon_g"`
}

// Peak is a figure's highest value and the end of the first window that had it.
type Peak struct {
	Value     int64       `json:"value"`
	WindowEnd orders.Time `json:"window_end"`
}

// Trending is a record of the topic trending: at most ten products of a scope,
// highest score first. WindowEnd is a whole minute.
type Trending struct {
	V         int            `json:"v"`
	Scope     string         `json:"scope"`
	WindowEnd orders.Time    `json:"window_end"`
	Final     bool           `json:"final"`
	Items     []TrendingItem `json:"items"`
	EmittedAt orders.Time    `json:"emitted_at"`
}

// TrendingItem is one product of a Trending record. Score compares the last
// five minutes with the last hour; Change is 100(score-1), rounded.
type TrendingItem struct {
	Rank     int    `json:"rank"`
	Product  string `json:"product"`
	Title    string `json:"title"`
	Category string `json:"category"`
	Units    int64  `json:"units"` // of the last five minutes
	Score    Score  `json:"score"`
	Change   int64  `json:"change"` // per cent
}

// Shipments is a record of the topic shipments: what was accepted since the
// batch before. Shown of Of orders are in Arcs. It names cities only: no shop,
// shopper or id leaves.
type Shipments struct {
	V         int         `json:"v"`
	Scope     string      `json:"scope"`
	At        orders.Time `json:"at"` // highest event time in the batch
	Shown     int64       `json:"shown"`
	Of        int64       `json:"of"`
	Arcs      []Arc       `json:"arcs"`
	Latest    []Latest    `json:"latest"`
	EmittedAt orders.Time `json:"emitted_at"`
}

// Limits of a Shipments record.
const (
	MaxArcs           = 64
	MaxLatest         = 4
	MaxShipmentsBytes = 8 << 10
)

// Arc is N orders between two cells of the map: [latitude, longitude] in
// degrees.
type Arc struct {
	From Degrees `json:"from"`
	To   Degrees `json:"to"`
	N    int64   `json:"n"`
}

// Degrees is [latitude, longitude].
type Degrees [2]float64

// Latest is one order as the page lists it.
type Latest struct {
	At       orders.Time `json:"at"`
	Title    string      `json:"title"`
	Amount   int64       `json:"amount"` // minor units of Currency
	Currency string      `json:"currency"`
	From     string      `json:"from"` // city
	To       string      `json:"to"`   // city
}
