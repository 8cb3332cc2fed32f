// Package embedded is livemap's own log: a broker that speaks the Kafka
// protocol inside the process, with its data in a directory, so that the demo
// and small installations need neither Kafka nor a JVM. Start at [Open].
//
// The protocol, transactions and storage are those of franz-go's kfake; this
// package adds what a log that is kept needs and kfake, made for tests, leaves
// out or gets wrong:
//
//   - one process per data directory (lock.go);
//   - a listener that listens on loopback only, unless told, and that drops a
//     connection which does not speak Kafka instead of crashing (guard.go);
//   - deletion and compaction that survive a kill, forget no offsets and hold
//     nobody up (clean.go, compact.go, append.go);
//   - message.timestamp.type=LogAppendTime (stamp.go);
//   - answers that name every aborted transaction in them (fetch.go);
//   - a reserve on the disk, below which producers are held up (space.go);
//   - transactions that survive a kill whole or not at all (journal.go,
//     repair.go, pids.go).
//
// # What survives
//
// A write is acknowledged once it is in the page cache of the operating
// system: kfake does not fsync record batches (nor does Kafka by default, which
// relies on replicas that are not here). So everything acknowledged survives
// the death of the process, kill -9 included. A crash of the machine or loss of
// power may lose the last seconds before it, and of a transaction committed in
// them a part; a torn batch at the end of a segment is detected by its checksum
// and cut off. With Config.SyncWrites every batch is synced before it is
// acknowledged, at a small part of the speed.
//
// A transaction that was open at a kill is aborted on reopening and its
// producer fenced. Producers without transactions may write a batch a second
// time when its acknowledgement was lost in the crash.
//
// # What it takes
//
// Disk: of a log topic its retention.bytes per partition (RetentionBytes of
// Config where the topic sets none) and a segment; of a state topic about twice
// its live bytes and two segments. Memory: some 80 bytes per record batch on
// disk, since kfake keeps an index of all; while a state topic is compacted its
// keys and the values that are moved. Opening reads all segments, after a crash
// twice.
//
// It is one broker, not replicated, with one loop for all requests, and it
// knows no passwords. Do not build a cluster on it.
package embedded
