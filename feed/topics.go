// Package feed is the contract between those who write livemap's output topics
// and those who read them: topic names and kinds, and one type for each record.
// The prose beside the golden bytes is in docs/format.
//
// It holds no logic of its own: figures are computed by package aggregate, and
// the hub never looks inside a value.
package feed

// Kind says what a reader of a topic is owed.
type Kind string

const (
	// Log topics are histories: a reader is owed every record, or a gap.
	Log Kind = "log"
	// State topics are values: a reader is owed the latest record of each key.
	// Their Kafka topic is compacted.
	State Kind = "state"
)

// Names of the topics that livemap itself reads and writes.
const (
	TopicOrders     = "orders"
	TopicMetrics    = "metrics"
	TopicWindows    = "windows"
	TopicHistory    = "history"
	TopicTrending   = "trending"
	TopicShipments  = "shipments"
	TopicOrdersLate = "orders.late"
	TopicOrdersDead = "orders.dead"
	TopicCheckpoint = "livemap.checkpoint"
)

// World is the scope that holds all orders. The others are "country/CC" by
// destination, and for trending also "category/NAME".
const World = "world"

// CountryScope returns the scope of orders shipped to the country with ISO
// 3166-1 alpha-2 code cc.
func CountryScope(cc string) string { return "country/" + cc }

// CategoryScope returns the trending scope of one product category.
func CategoryScope(name string) string { return "category/" + name }

// Version is the value of "v" in every record.
const Version = 1
