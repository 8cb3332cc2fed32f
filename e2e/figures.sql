-- Windows and totals of the orders in `scoped` (scope, at_ms, household, cents,
-- distance_m, carbon_g), which has each order once for every scope it is in.

-- An order at 12:00:07.250 is in the sixty windows that end at 12:00:08 to
-- 12:01:07: a window is [window_end - 60 s, window_end).
CREATE TABLE windows AS
WITH seconds AS (
  SELECT scope, at_ms // 1000 AS second, household, count(*) AS orders, sum(cents) AS cents, sum(distance_m) AS distance_m, sum(carbon_g) AS carbon_g
  FROM scoped GROUP BY ALL
), shoppers AS (
  SELECT scope, (second + step) * 1000 AS window_end, household,
    sum(orders) AS orders, sum(cents) AS cents, sum(distance_m) AS distance_m, sum(carbon_g) AS carbon_g
  FROM seconds, range(1, 61) AS steps(step) GROUP BY ALL
)
SELECT scope, window_end, sum(orders)::BIGINT AS orders, sum(cents)::BIGINT AS sales, count(*) AS shoppers,
  sum(distance_m)::BIGINT AS distance_m, sum(carbon_g)::BIGINT AS carbon_g
FROM shoppers GROUP BY ALL;

-- Totals at the end of every second that had an order; they hold until the next.
CREATE TABLE totals AS
SELECT scope, (second + 1) * 1000 AS since_end,
  (sum(orders) OVER so_far)::BIGINT AS orders, (sum(cents) OVER so_far)::BIGINT AS sales,
  (sum(distance_m) OVER so_far)::BIGINT AS distance_m, (sum(carbon_g) OVER so_far)::BIGINT AS carbon_g
FROM (
  SELECT scope, at_ms // 1000 AS second, count(*) AS orders, sum(cents) AS cents, sum(distance_m) AS distance_m, sum(carbon_g) AS carbon_g
  FROM scoped GROUP BY ALL)
WINDOW so_far AS (PARTITION BY scope ORDER BY second);
