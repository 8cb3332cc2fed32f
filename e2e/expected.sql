-- What livemap must say of a year of real purchases, computed from the files
-- themselves. Variables: transactions, products (Parquet), deliveries (CSV),
-- start_ms, speed, carbon_factor. figures.sql makes windows and totals of it. All times are milliseconds since the epoch, all money cents.

-- Where things go is an input: the data has no places, livemap's replay gives
-- each household and store one by a hash. The deliveries are what the replay
-- said in its orders; no figure is taken from them.
CREATE TABLE deliveries AS
FROM read_csv(getvariable('deliveries'), header = true, columns = {
  'basket': 'BIGINT', 'household': 'BIGINT', 'country': 'VARCHAR',
  'from_lat': 'DOUBLE', 'from_lon': 'DOUBLE', 'to_lat': 'DOUBLE', 'to_lon': 'DOUBLE', 'mass_g': 'BIGINT'});

CREATE TABLE households AS
SELECT household, any_value(country) AS country, count(DISTINCT (country, to_lat, to_lon)) AS places
FROM deliveries GROUP BY household;

-- A line of a till receipt. The replay's clock runs `speed` times as fast as the
-- shops' did, from `start_ms` on.
CREATE TABLE lines AS
SELECT
  basket_id AS basket, household_id AS household, product_id AS product, quantity AS units,
  round(sales_value * 100)::BIGINT AS cents,
  getvariable('start_ms') + (epoch_ms(transaction_timestamp) - min(epoch_ms(transaction_timestamp)) OVER ()) // getvariable('speed') AS at_ms
FROM read_parquet(getvariable('transactions'));

-- An order is a basket; at_ms is the same in all of its lines.
CREATE TABLE baskets AS
SELECT l.basket, min(l.at_ms) AS at_ms, max(l.at_ms) - min(l.at_ms) AS spread, min(l.household) AS household, sum(l.cents)::BIGINT AS cents
FROM lines l GROUP BY l.basket;

-- Great circle on a sphere of 6,371,008.8 m; carbon_factor grams of CO2 per
-- tonne-kilometre, which is 1e9 gram-metres, rounded half up.
CREATE TABLE hauls AS
SELECT basket, distance_m, ((mass_g::HUGEINT * distance_m * getvariable('carbon_factor') + 500_000_000) // 1_000_000_000)::BIGINT AS carbon_g
FROM (
  SELECT basket, mass_g, round(2 * 6371008.8 * asin(least(1, sqrt(
      sin(radians(to_lat - from_lat) / 2) ** 2
      + cos(radians(from_lat)) * cos(radians(to_lat)) * sin(radians(to_lon - from_lon) / 2) ** 2))))::BIGINT AS distance_m
  FROM deliveries);

-- Every order counts for the world and for the country it goes to.
CREATE TABLE scoped AS
SELECT unnest(['world', 'country/' || h.country]) AS scope, b.*, d.distance_m, d.carbon_g
FROM baskets b JOIN households h USING (household) JOIN hauls d USING (basket);

-- Trending: units of the last five and sixty minutes at every whole minute.
CREATE TABLE minutes AS
WITH scoped_lines AS (
  SELECT unnest(['world', 'country/' || h.country, 'category/' || coalesce(nullif(p.product_category, ''), 'unclassified')]) AS scope,
    l.product, l.at_ms // 60000 AS minute, l.units
  FROM lines l JOIN households h USING (household)
  LEFT JOIN read_parquet(getvariable('products')) p ON p.product_id = l.product
)
SELECT scope, product, minute, sum(units)::BIGINT AS units FROM scoped_lines GROUP BY ALL;

CREATE TABLE trending AS
WITH five AS (
  SELECT scope, product, minute + step AS minute_end, sum(units)::BIGINT AS u5
  FROM minutes, range(1, 6) AS steps(step) GROUP BY ALL HAVING u5 >= 10
), hour AS (
  SELECT f.scope, f.product, f.minute_end, f.u5, sum(m.units)::BIGINT AS u60
  FROM five f JOIN minutes m ON m.scope = f.scope AND m.product = f.product AND m.minute < f.minute_end AND m.minute >= f.minute_end - 60
  GROUP BY ALL
), scored AS (
  SELECT *, (12 * (u5 + 20))::DOUBLE / (u60 + 240)::DOUBLE AS score FROM hour
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY scope, minute_end ORDER BY score DESC, u5 DESC, product::VARCHAR) AS rank FROM scored
)
SELECT r.scope, r.minute_end * 60000 AS window_end, r.rank, r.product::VARCHAR AS product,
  coalesce(nullif(p.product_category, ''), 'unclassified') AS category, r.u5 AS units,
  printf('%.4f', r.score) AS score, round(100 * (r.score - 1))::BIGINT AS change
FROM ranked r LEFT JOIN read_parquet(getvariable('products')) p ON p.product_id::VARCHAR = r.product::VARCHAR
WHERE r.rank <= 10;
