-- The job. ${...} are filled in by livemap.flink.Job: ${kafka} is the address and what else Kafka's clients need.

-- Orders as bytes, with what their partition knows of them. Kafka's timestamps are a watermark here only to align
-- the partitions: read at one pace of the log's own clock, they come nearly in the order in which they arrived,
-- and what one is ahead of another, which lies in open panes, stays bounded. The watermark of the figures is
-- another one: see Figures. Here idle partitions only stop holding up the others' reading; nothing is dropped.
CREATE TEMPORARY TABLE orders (
  k BYTES,
  v BYTES,
  part INT NOT NULL METADATA FROM 'partition' VIRTUAL,
  pos BIGINT NOT NULL METADATA FROM 'offset' VIRTUAL,
  ts TIMESTAMP_LTZ(3) NOT NULL METADATA FROM 'timestamp' VIRTUAL,
  h MAP<STRING, BYTES> METADATA FROM 'headers' VIRTUAL,
  WATERMARK FOR ts AS ts
) WITH (
  'connector' = 'kafka', 'topic' = 'orders', ${kafka},
  'properties.group.id' = 'livemap-flink', 'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset', 'scan.topic-partition-discovery.interval' = '10 s',
  'scan.watermark.alignment.group' = 'orders', 'scan.watermark.alignment.max-drift' = '30 s',
  'scan.watermark.alignment.update-interval' = '500 ms', 'scan.watermark.idle-timeout' = '5 s',
  'key.format' = 'raw', 'key.fields' = 'k', 'value.format' = 'raw', 'value.fields-include' = 'EXCEPT_KEY'
);

-- What must be there exactly once: written in one Kafka transaction per checkpoint.
CREATE TEMPORARY TABLE exact (
  topic STRING NOT NULL METADATA,
  k BYTES,
  v BYTES,
  ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
  h MAP<STRING, BYTES> METADATA FROM 'headers'
) WITH (
  'connector' = 'kafka', 'topic' = '${prefix}windows;${prefix}history;${prefix}trending;${prefix}orders.late;${prefix}orders.dead', ${kafka},
  'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '${prefix}livemap-flink',
  'properties.transaction.timeout.ms' = '600000', 'properties.max.request.size' = '2097152', 'properties.compression.type' = 'lz4',
  'properties.linger.ms' = '20',
  'key.format' = 'raw', 'key.fields' = 'k', 'value.format' = 'raw', 'value.fields-include' = 'EXCEPT_KEY'
);

-- What must be seen at once: written as it comes, and again after a restart.
CREATE TEMPORARY TABLE fast (
  topic STRING NOT NULL METADATA,
  k BYTES,
  v BYTES
) WITH (
  'connector' = 'kafka', 'topic' = '${prefix}metrics;${prefix}shipments', ${kafka},
  'sink.delivery-guarantee' = 'at-least-once', 'properties.compression.type' = 'lz4', 'properties.linger.ms' = '5',
  'key.format' = 'raw', 'key.fields' = 'k', 'value.format' = 'raw', 'value.fields-include' = 'EXCEPT_KEY'
);

-- What the decoder takes (livemap.flink.Decode). It stands between this view and the next: a function of SQL
-- answers row by row, and it is rows that cost.
CREATE TEMPORARY VIEW records AS
SELECT k, v, part, pos, CAST(ts AS TIMESTAMP_LTZ(3)) AS ts, h FROM orders;

-- Batches of decoded records, and ten ticks a second, which are rows without a batch.
CREATE TEMPORARY VIEW decoded AS
SELECT 0 AS shard, f0 AS entries, f1 AS records FROM batches
UNION ALL
SELECT 0, CAST(NULL AS BYTES), CAST(NULL AS BYTES) FROM ticks;

CREATE TEMPORARY VIEW figures AS
SELECT topic, k, v, ts, h FROM FIGURES(input => TABLE decoded PARTITION BY shard, uid => 'figures');

INSERT INTO exact
SELECT '${prefix}' || topic, k, v, ts, h FROM figures WHERE topic NOT IN ('metrics', 'shipments');

INSERT INTO fast
SELECT '${prefix}' || topic, k, v FROM figures WHERE topic IN ('metrics', 'shipments');
