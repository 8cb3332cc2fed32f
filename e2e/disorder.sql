-- What livemap must say of orders that arrive late, twice and out of order in
-- one partition. Variables: orders, lines, rates (CSV), products (Parquet),
-- disorder_ms, lateness_ms, carbon_factor. figures.sql makes windows and totals of it.
-- orders has every record that is an order with a believable time, in the
-- order of the log.
CREATE TABLE sent AS
FROM read_csv(getvariable('orders'), header = true, columns = {
  'seq': 'BIGINT', 'id': 'VARCHAR', 'at_ms': 'BIGINT', 'shopper': 'VARCHAR', 'currency': 'VARCHAR', 'amount': 'BIGINT', 'country': 'VARCHAR',
  'from_lat': 'DOUBLE', 'from_lon': 'DOUBLE', 'to_lat': 'DOUBLE', 'to_lon': 'DOUBLE', 'mass_g': 'BIGINT'});

-- Rates of currencies to a euro, from their day until the next that has rates,
-- in millionths; and the decimals of their minor units.
CREATE TABLE rates AS
WITH days AS (SELECT day, lead(day, 1, DATE '9999-01-01') OVER (ORDER BY day) AS until FROM (SELECT DISTINCT day FROM read_csv(getvariable('rates'), header = true)))
SELECT r.currency, round(r.per_euro * 1000000)::HUGEINT AS per_euro, CASE r.currency WHEN 'JPY' THEN 0 ELSE 2 END AS decimals,
  epoch_ms(d.day::TIMESTAMP) AS from_ms, epoch_ms(d.until::TIMESTAMP) AS until_ms
FROM read_csv(getvariable('rates'), header = true) r JOIN days d USING (day);

-- Half to even, in whole numbers. No rate, no order.
CREATE TABLE converted AS
WITH fractions AS (
  SELECT s.*, s.amount * t.per_euro * 10 ** (2 - f.decimals)::INTEGER::HUGEINT AS num, f.per_euro AS den
  FROM sent s
  JOIN rates f ON f.currency = s.currency AND s.at_ms >= f.from_ms AND s.at_ms < f.until_ms
  JOIN rates t ON t.currency = 'USD' AND s.at_ms >= t.from_ms AND s.at_ms < t.until_ms
), divided AS (SELECT *, num::HUGEINT // den AS whole, num::HUGEINT % den AS rest FROM fractions)
SELECT seq, (whole + CASE WHEN 2 * rest > den OR (2 * rest = den AND whole % 2 = 1) THEN 1 ELSE 0 END)::BIGINT AS cents FROM divided
WHERE currency <> 'USD'
UNION ALL SELECT seq, amount FROM sent WHERE currency = 'USD';

-- The watermark before each order: what duplicates repeat was there before, so
-- they may count. An order whose first coming was accepted is a duplicate.
CREATE TABLE judged AS
WITH marked AS (
  SELECT s.*, c.cents, max(at_ms) OVER before - getvariable('disorder_ms') AS watermark, row_number() OVER (PARTITION BY id ORDER BY seq) AS coming
  FROM sent s JOIN converted c USING (seq) WINDOW before AS (ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), timely AS (SELECT *, at_ms >= coalesce(watermark, at_ms) - getvariable('lateness_ms') AS timely FROM marked)
SELECT t.*, CASE WHEN coming > 1 AND f.timely THEN 'duplicate' WHEN NOT t.timely THEN 'late' ELSE 'accepted' END AS verdict
FROM timely t JOIN (SELECT id, timely FROM timely WHERE coming = 1) f USING (id);

CREATE TABLE scoped AS
SELECT unnest(['world', 'country/' || country]) AS scope, seq, at_ms, shopper AS household, cents, distance_m,
  ((mass_g::HUGEINT * distance_m * getvariable('carbon_factor') + 500_000_000) // 1_000_000_000)::BIGINT AS carbon_g
FROM (
  SELECT *, round(2 * 6371008.8 * asin(least(1, sqrt(
      sin(radians(to_lat - from_lat) / 2) ** 2
      + cos(radians(from_lat)) * cos(radians(to_lat)) * sin(radians(to_lon - from_lon) / 2) ** 2))))::BIGINT AS distance_m
  FROM judged WHERE verdict = 'accepted');

-- A list holds the orders that were there when the watermark passed its minute.
CREATE TABLE minutes AS
WITH passed AS (SELECT max(at_ms) OVER (ORDER BY seq) - getvariable('disorder_ms') AS watermark, seq FROM judged),
ends AS (
  SELECT minute_end, (SELECT min(seq) FROM passed WHERE watermark >= minute_end * 60000) AS last_seq
  FROM range((SELECT min(at_ms) // 60000 + 1 FROM scoped), (SELECT max(watermark) // 60000 + 1 FROM passed)) AS m(minute_end)
), scoped_lines AS (
  SELECT unnest(['world', 'country/' || o.country, 'category/' || coalesce(nullif(p.category, ''), 'unclassified')]) AS scope,
    l.product, o.at_ms // 60000 AS minute, l.units, o.seq
  FROM read_csv(getvariable('lines'), header = true, columns = {'seq': 'BIGINT', 'product': 'VARCHAR', 'units': 'BIGINT'}) l
  JOIN judged o USING (seq) LEFT JOIN read_parquet(getvariable('products')) p USING (product)
  WHERE o.verdict = 'accepted'
)
SELECT scope, product, minute_end,
  coalesce(sum(units) FILTER (minute >= minute_end - 5), 0)::BIGINT AS u5, sum(units)::BIGINT AS u60
FROM scoped_lines JOIN ends ON seq <= last_seq AND minute < minute_end AND minute >= minute_end - 60 GROUP BY ALL;

CREATE TABLE trending AS
WITH scored AS (
  SELECT *, (12 * (u5 + 20))::DOUBLE / (u60 + 240)::DOUBLE AS score FROM minutes WHERE u5 >= 10
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY scope, minute_end ORDER BY score DESC, u5 DESC, product) AS rank FROM scored
)
SELECT r.scope, r.minute_end * 60000 AS window_end, r.rank, r.product, coalesce(nullif(p.category, ''), 'unclassified') AS category, r.u5 AS units,
  printf('%.4f', r.score) AS score, round(100 * (r.score - 1))::BIGINT AS change
FROM ranked r LEFT JOIN read_parquet(getvariable('products')) p USING (product)
WHERE r.rank <= 10;
