// Package embedded is livemap's own log: a broker that speaks the Kafka
// protocol inside the process, with its data in a directory, so that the demo
// and small installations need neither Kafka nor a JVM. Start at [Open].
//
// The protocol, transactions and storage are those of franz-go's kfake; this
// package adds what a program that runs for months needs and kfake, made for
// tests, leaves out:
//
//   - one process per data directory (lock.go);
//   - a listener that only listens on loopback unless told, and that drops a
//     connection which does not speak Kafka instead of crashing (guard.go).
//
// # What survives
//
// A write is acknowledged once it is in the page cache of the operating
// system: kfake does not fsync record batches (nor does Kafka by default, which
// relies on replicas that are not here). So everything acknowledged survives
// the death of the process, kill -9 included. A crash of the machine or loss of
// power may lose the last seconds before it; a torn batch at the end of a
// segment is detected by its checksum and cut off. With Config.SyncWrites every
// batch is synced before it is acknowledged, at a hundredth of the speed.
//
// A transaction open at a kill -9 is aborted on reopening and its producer
// fenced. Producers without transactions may write a batch a second time when
// its acknowledgement was lost in the crash.
//
// It is one broker, not replicated, with one loop for all requests. Do not
// build a cluster on it.
package embedded
