/**
 * The job: what stands between Flink and the pure packages {@link livemap.orders} and
 * {@link livemap.aggregate}. Start at {@link livemap.flink.Job} and job.sql.
 */
package livemap.flink;
