/**
 * Orders into figures, as Go's package aggregate does it: the same panes, windows, corrections, peaks, lists
 * and batches, by the same rules and to the same bytes. Pure: no clock, no I/O, no Flink. Start at
 * {@link livemap.aggregate.Aggregator}.
 *
 * <p>Classes carry the names of the Go files that they follow, and whoever changes one changes the other: the
 * parity suite (e2e/parity) notices. Two things are simpler here. The whole state, open panes included, goes
 * into Flink's checkpoints, so nothing is read again from the orders. And one flush may close any number of
 * windows, because it need not fit one Kafka transaction.
 */
package livemap.aggregate;
