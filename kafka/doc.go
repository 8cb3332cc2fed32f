// Package kafka is livemap's door to Kafka: the only package, with those below
// it, that knows a Kafka client. It speaks to a real cluster and to the
// embedded log (package kafka/embedded) alike; one suite tests both.
//
// Start at [Config], then at what a caller is:
//
//   - the hub follows topics with [Tail]: every partition, no group;
//   - the aggregator reads orders with [Reader] and writes with [TxnProducer];
//   - who comes back late, or asks for the past, is read to by [History];
//   - whoever produces orders uses [Producer];
//   - a state topic is loaded with [ReadState] and followed with [Watch];
//   - [EnsureTopics] makes topics of the right kind, [WaitReady] waits for a
//     broker.
//
// All reading is read_committed and goes through one fetch loop (see follower
// in follow.go), which issues Fetch requests itself instead of using the
// client's consumer: only the raw answer tells where a partition's position
// stands after transaction markers, aborted records and compacted gaps, and
// only there can a batch that nobody can decode be stepped over.
//
// The package interprets no value, joins no consumer group and commits no
// offsets to Kafka: positions are kept by its callers.
package kafka
