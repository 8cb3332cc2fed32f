-- Compares what a reader of livemap's topics saw with the expected tables.
-- Variables: seen_windows, seen_history, seen_trending, seen_shipments (one JSON object a
-- line: {"key", "value"}, every record in the order of the topic), until_ms
-- (the last window_end to look at), start_ms, shipped_again (whether orders may
-- be in more than one shipment).
--
-- Each check leaves rows in `differences`; none is what should be there.
CREATE TABLE differences (topic VARCHAR, scope VARCHAR, window_end BIGINT, what VARCHAR, seen VARCHAR, expected VARCHAR);

CREATE TABLE seen_windows AS
SELECT key, value.scope AS scope, epoch_ms(value.window_end::TIMESTAMP) AS window_end, value.revision AS revision,
  value.orders AS orders, value.sales AS sales, value.shoppers AS shoppers, value.distance_m AS distance_m, value.carbon_g AS carbon_g,
  value.currency AS currency, value.final AS final, epoch_ms(value.total.since::TIMESTAMP) AS since, value.total AS total
FROM read_json(getvariable('seen_windows'), format = 'newline_delimited', columns = {
  key: 'VARCHAR',
  value: 'STRUCT(scope VARCHAR, window_end VARCHAR, revision BIGINT, orders BIGINT, sales BIGINT, currency VARCHAR, shoppers BIGINT,
    distance_m BIGINT, carbon_g BIGINT, final BOOLEAN,
    total STRUCT(since VARCHAR, orders BIGINT, sales BIGINT, distance_m BIGINT, carbon_g BIGINT))'});

-- Every revision of a window exactly once, from 0 without a hole.
INSERT INTO differences
SELECT 'windows', scope, window_end, 'revisions', string_agg(revision, ',' ORDER BY revision), '0 to ' || max(revision)
FROM seen_windows GROUP BY scope, window_end HAVING count(*) <> count(DISTINCT revision) OR count(*) <> max(revision) + 1;

INSERT INTO differences
SELECT 'windows', scope, window_end, 'key, currency, final, since', concat_ws(' ', key, currency, final, since),
  concat_ws(' ', scope, 'USD', true, getvariable('start_ms'))
FROM seen_windows WHERE (key, currency, final, since) IS DISTINCT FROM (scope, 'USD', true, getvariable('start_ms'));

-- The last revision of each window beside the expected one. A window without
-- orders need not be there, but if it is, it holds zeros and the totals so far.
CREATE TABLE windows_compared AS
WITH seen AS (
  SELECT * FROM seen_windows WHERE window_end <= getvariable('until_ms')
  QUALIFY row_number() OVER (PARTITION BY scope, window_end ORDER BY revision DESC) = 1
), wanted AS (
  SELECT * FROM expected.windows WHERE window_end <= getvariable('until_ms')
), paired AS (
  SELECT scope, window_end, s.orders IS NOT NULL AS present,
    {orders: s.orders, sales: s.sales, shoppers: s.shoppers, distance_m: s.distance_m, carbon_g: s.carbon_g} AS seen,
    {orders: coalesce(w.orders, 0), sales: coalesce(w.sales, 0), shoppers: coalesce(w.shoppers, 0),
      distance_m: coalesce(w.distance_m, 0), carbon_g: coalesce(w.carbon_g, 0)} AS expected,
    {orders: s.total.orders, sales: s.total.sales, distance_m: s.total.distance_m, carbon_g: s.total.carbon_g} AS seen_total
  FROM seen s FULL JOIN wanted w USING (scope, window_end)
)
SELECT b.*, {orders: coalesce(t.orders, 0), sales: coalesce(t.sales, 0), distance_m: coalesce(t.distance_m, 0), carbon_g: coalesce(t.carbon_g, 0)} AS expected_total
FROM paired b ASOF LEFT JOIN expected.totals t ON b.scope = t.scope AND b.window_end >= t.since_end;

INSERT INTO differences
SELECT 'windows', scope, window_end, 'missing', NULL, expected FROM windows_compared WHERE NOT present
UNION ALL
SELECT 'windows', scope, window_end, 'figures', seen, expected FROM windows_compared WHERE present AND seen IS DISTINCT FROM expected
UNION ALL
SELECT 'windows', scope, window_end, 'total', seen_total, expected_total FROM windows_compared WHERE present AND seen_total IS DISTINCT FROM expected_total;

-- The last history record of each scope: sixty whole minutes and the peaks.
CREATE TABLE seen_history AS
WITH records AS (
  SELECT row_number() OVER () AS position, value
  FROM read_json(getvariable('seen_history'), format = 'newline_delimited', columns = {
    key: 'VARCHAR',
    value: 'STRUCT(scope VARCHAR, window_end VARCHAR, orders BIGINT[], sales BIGINT[], shoppers BIGINT[], distance_m BIGINT[], carbon_g BIGINT[],
      peak MAP(VARCHAR, STRUCT("value" BIGINT, window_end VARCHAR)))'})
)
SELECT value.scope AS scope, epoch_ms(value.window_end::TIMESTAMP) AS window_end, value AS record
FROM records QUALIFY row_number() OVER (PARTITION BY value.scope ORDER BY position DESC) = 1;

CREATE TABLE history_compared AS
WITH seen AS (
  SELECT scope, window_end - (60 - step) * 60000 AS window_end,
    {orders: record.orders[step], sales: record.sales[step], shoppers: record.shoppers[step],
      distance_m: record.distance_m[step], carbon_g: record.carbon_g[step]} AS seen
  FROM seen_history, range(1, 1 + len(record.orders)) AS steps(step)
)
SELECT scope, window_end, seen, {orders: coalesce(w.orders, 0), sales: coalesce(w.sales, 0), shoppers: coalesce(w.shoppers, 0),
  distance_m: coalesce(w.distance_m, 0), carbon_g: coalesce(w.carbon_g, 0)} AS expected
FROM seen LEFT JOIN expected.windows w USING (scope, window_end);

INSERT INTO differences
SELECT 'history', scope, window_end, 'minute', seen, expected FROM history_compared WHERE seen IS DISTINCT FROM expected
UNION ALL
SELECT 'history', scope, window_end, 'minutes', len(record.orders), 60 FROM seen_history
WHERE [len(record.orders), len(record.sales), len(record.shoppers), len(record.distance_m), len(record.carbon_g)] <> [60, 60, 60, 60, 60];

-- A peak is the highest window and, of equal ones, the first.
CREATE TABLE peaks_compared AS
WITH figures AS (
  UNPIVOT expected.windows ON orders, sales, shoppers, distance_m, carbon_g INTO NAME figure VALUE highest
), expected AS (
  SELECT scope, figure, highest, min(window_end) AS window_end FROM figures GROUP BY scope, figure, highest
  QUALIFY highest = max(highest) OVER (PARTITION BY scope, figure)
), seen AS (
  SELECT scope, unnest(map_entries(record.peak)) AS peak FROM seen_history
)
SELECT scope, figure, {highest: peak.value.value, window_end: epoch_ms(peak.value.window_end::TIMESTAMP)} AS seen,
  {highest: e.highest, window_end: e.window_end} AS expected
FROM (SELECT scope, peak.key AS figure, peak FROM seen) s FULL JOIN expected e USING (scope, figure)
WHERE e.highest <> 0;

INSERT INTO differences
SELECT 'history', scope, NULL, 'peak of ' || figure, seen, expected FROM peaks_compared WHERE seen IS DISTINCT FROM expected;

-- Final trending records, the last of each scope and minute, item by item.
CREATE TABLE seen_trending AS
WITH records AS (
  SELECT row_number() OVER () AS position, value
  FROM read_json(getvariable('seen_trending'), format = 'newline_delimited', columns = {
    key: 'VARCHAR',
    value: 'STRUCT(scope VARCHAR, window_end VARCHAR, final BOOLEAN, items STRUCT(
      rank BIGINT, product VARCHAR, title VARCHAR, category VARCHAR, units BIGINT, score VARCHAR, change BIGINT)[])'})
), final AS (
  SELECT value.scope AS scope, epoch_ms(value.window_end::TIMESTAMP) AS window_end, value.items AS items
  FROM records WHERE value.final
  QUALIFY row_number() OVER (PARTITION BY value.scope, value.window_end ORDER BY position DESC) = 1
)
SELECT scope, window_end, item.rank AS rank, item.product AS product, item.category AS category, item.units AS units,
  printf('%.4f', item.score::DOUBLE) AS score, item.change AS change
FROM (SELECT scope, window_end, unnest(items) AS item FROM final) WHERE window_end <= getvariable('until_ms');

CREATE TABLE trending_compared AS
SELECT scope, window_end, s.seen, e.expected
FROM (SELECT scope, window_end, list({rank: rank, product: product, category: category, units: units, score: score, change: change} ORDER BY rank)::VARCHAR AS seen
  FROM seen_trending GROUP BY ALL) s
FULL JOIN (SELECT scope, window_end, list({rank: rank, product: product, category: category, units: units, score: score, change: change} ORDER BY rank)::VARCHAR AS expected
  FROM expected.trending WHERE window_end <= getvariable('until_ms') GROUP BY ALL) e USING (scope, window_end);

INSERT INTO differences
SELECT 'trending', scope, window_end, 'items', seen, expected FROM trending_compared WHERE seen IS DISTINCT FROM expected;

-- Every order is in exactly one batch of the world and one of its country.
CREATE TABLE shipments_compared AS
SELECT scope, s.seen, e.expected
FROM (SELECT value.scope AS scope, sum(value.of)::BIGINT AS seen
  FROM read_json(getvariable('seen_shipments'), format = 'newline_delimited', columns = {key: 'VARCHAR', value: 'STRUCT(scope VARCHAR, "of" BIGINT)'}) GROUP BY ALL) s
FULL JOIN (SELECT scope, count(*) AS expected FROM expected.scoped GROUP BY ALL) e USING (scope);

INSERT INTO differences
SELECT 'shipments', scope, NULL, 'sum of "of"', seen, expected FROM shipments_compared WHERE seen IS DISTINCT FROM expected AND NOT (getvariable('shipped_again') AND coalesce(seen > expected, false));
