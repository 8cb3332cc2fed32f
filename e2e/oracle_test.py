"""Does the oracle itself count right, and does it notice every kind of error?

A few hundred real baskets are aggregated here a third way: plain Python, one
window after the other, as the words of docs/format say. The oracle must agree
with it, and must complain once something is altered.
"""

import contextlib
import copy
import csv
import io
import json
import math
import tempfile
import unittest
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path

import duckdb

import oracle

JOURNEY = Path(__file__).resolve().parent.parent / ".cache" / "journey"
START = "2026-01-05T00:00:00Z"
SPEED = 1440
BASKETS = 1500

PLACES = {"CA": (45.5, -73.6), "DE": (52.5, 13.4), "JP": (35.7, 139.7)}
SHOP = (40.7, -74.0)
MASS_G = 1234


def stamp(ms):
    return datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def haversine(a, b):
    (lat1, lon1), (lat2, lon2) = [[math.radians(x) for x in p] for p in (a, b)]
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return round(2 * 6371008.8 * math.asin(math.sqrt(h)))


def country(household):
    return list(PLACES)[household % len(PLACES)]


class Naive:
    """What livemap would write, computed the slow way."""

    def __init__(self, rows, categories):
        first = min(row["at"] for row in rows)
        start = oracle.milliseconds(START)
        self.orders = {}
        self.lines = []
        for row in rows:
            at = start + (row["at"] - first) // SPEED
            order = self.orders.setdefault(row["basket"], {"at": at, "household": row["household"], "cents": 0})
            order["cents"] += round(row["value"] * 100)
            self.lines.append((at, row["household"], str(row["product"]), categories.get(row["product"]) or "unclassified", row["units"]))
        self.start = start
        self.last = max(o["at"] for o in self.orders.values())

    def scopes(self):
        yield "world", lambda household: True
        for cc in PLACES:
            yield f"country/{cc}", lambda household, cc=cc: country(household) == cc

    def sums(self, orders):
        hauls = [haversine(SHOP, PLACES[country(o["household"])]) for o in orders]
        return {"orders": len(orders), "sales": sum(o["cents"] for o in orders), "distance_m": sum(hauls),
                "carbon_g": sum((MASS_G * d * oracle.CARBON_FACTOR + 500_000_000) // 1_000_000_000 for d in hauls)}

    def windows(self):
        for scope, has in self.scopes():
            mine = sorted((o for o in self.orders.values() if has(o["household"])), key=lambda o: o["at"])
            begin = self.start // 1000
            for second in range(begin, self.last // 1000 + 61):
                end = second * 1000
                inside = [o for o in mine if end - 60000 <= o["at"] < end]
                if not inside:
                    continue
                total = self.sums([o for o in mine if o["at"] < end])
                yield {"scope": scope, "window_end": stamp(end), "revision": 0, "currency": "USD", "final": True,
                       "shoppers": len({o["household"] for o in inside}), **self.sums(inside),
                       "total": {"since": stamp(self.start), **total}}

    def history(self, windows):
        figures = ("orders", "sales", "shoppers", "distance_m", "carbon_g")
        end = -(-self.last // 60000) * 60000
        for scope, _ in self.scopes():
            mine = {w["window_end"]: w for w in windows if w["scope"] == scope}
            ends = [stamp(end - back * 60000) for back in range(59, -1, -1)]
            first_highest = {f: min(mine.values(), key=lambda w, f=f: (-w[f], w["window_end"])) for f in figures}
            yield {"scope": scope, "window_end": stamp(end), **{f: [mine[e][f] if e in mine else 0 for e in ends] for f in figures},
                   "peak": {f: {"value": w[f], "window_end": w["window_end"]} for f, w in first_highest.items()}}

    def trending(self):
        by_scope = defaultdict(list)
        for at, household, product, category, units in self.lines:
            for scope in ("world", f"country/{country(household)}", f"category/{category}"):
                by_scope[scope].append((at, product, category, units))
        for scope, lines in by_scope.items():
            for minute in range(self.start // 60000 + 1, self.last // 60000 + 2):
                items = self.top(lines, minute * 60000)
                if items:
                    yield {"scope": scope, "window_end": stamp(minute * 60000), "final": True, "items": items}

    @staticmethod
    def top(lines, end):
        five, hour, category = defaultdict(int), defaultdict(int), {}
        for at, product, cat, units in lines:
            category[product] = cat
            if end - 300_000 <= at < end:
                five[product] += units
            if end - 3_600_000 <= at < end:
                hour[product] += units
        scored = [(12 * (u + 20) / (hour[p] + 240), u, p) for p, u in five.items() if u >= 10]
        scored.sort(key=lambda s: (-s[0], -s[1], s[2]))
        return [{"rank": i + 1, "product": p, "category": category[p], "units": u, "score": float(f"{score:.4f}"),
                 "change": math.floor(100 * (score - 1) + 0.5)} for i, (score, u, p) in enumerate(scored[:10])]

    def shipments(self):
        for scope, has in self.scopes():
            n = sum(1 for o in self.orders.values() if has(o["household"]))
            yield {"scope": scope, "of": n // 2}
            yield {"scope": scope, "of": n - n // 2}


class OracleTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.tmp.cleanup)
        cls.dir = Path(cls.tmp.name)
        db = duckdb.connect()
        db.execute(f"""COPY (FROM '{JOURNEY}/transactions.parquet' WHERE basket_id IN
            (SELECT basket_id FROM '{JOURNEY}/transactions.parquet' GROUP BY 1 ORDER BY min(transaction_timestamp), 1 LIMIT {BASKETS}))
            TO '{cls.dir}/transactions.parquet'""")
        db.execute(f"COPY (FROM '{JOURNEY}/products.parquet') TO '{cls.dir}/products.parquet'")
        names = ("basket", "household", "product", "units", "value", "at")
        rows = [dict(zip(names, row)) for row in db.execute(f"""SELECT basket_id, household_id, product_id, quantity, sales_value,
            epoch_ms(transaction_timestamp) FROM '{cls.dir}/transactions.parquet'""").fetchall()]
        categories = dict(db.execute(f"SELECT product_id, product_category FROM '{cls.dir}/products.parquet'").fetchall())
        naive = Naive(rows, categories)
        with open(cls.dir / "deliveries.csv", "w", newline="") as f:
            out = csv.writer(f)
            out.writerow(["basket", "household", "country", "from_lat", "from_lon", "to_lat", "to_lon", "mass_g"])
            for basket, o in naive.orders.items():
                cc = country(o["household"])
                out.writerow([basket, o["household"], cc, *SHOP, *PLACES[cc], MASS_G])
        cls.expected = cls.dir / "expected.duckdb"
        oracle.main(["expect", "--journey", str(cls.dir), "--deliveries", str(cls.dir / "deliveries.csv"),
                     "--start", START, "--speed", str(SPEED), "--to", str(cls.expected)])
        windows = list(naive.windows())
        cls.seen = {"windows": windows, "history": list(naive.history(windows)), "trending": list(naive.trending()), "shipments": list(naive.shipments())}

    def compare(self, **altered):
        """Returns the oracle's exit status and what it printed."""
        with tempfile.TemporaryDirectory() as d:
            for topic, records in {**self.seen, **altered}.items():
                lines = (json.dumps({"key": r["scope"], "value": r}) + "\n" for r in records)
                (Path(d) / f"{topic}.ndjson").write_text("".join(lines))
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                status = oracle.main(["compare", "--expected", str(self.expected), "--seen", d])
        return status, printed.getvalue()

    def altered(self, topic, at, change):
        records = copy.deepcopy(self.seen[topic])
        change(records[at])
        return {topic: records}

    def notices(self, what, **altered):
        status, printed = self.compare(**altered)
        self.assertEqual(status, 1, printed)
        self.assertIn("\n1 differences\n", printed)
        self.assertIn(what, printed)

    def test_agrees_with_the_naive_way(self):
        self.assertGreater(len(self.seen["windows"]), 400)
        self.assertGreater(len(self.seen["trending"]), 20)
        status, printed = self.compare()
        self.assertEqual(status, 0, printed)
        self.assertIn(f"compared {len(self.seen['windows'])} windows of 4 scopes, ", printed)
        self.assertIn(f" {len(self.seen['trending'])} trending lists", printed)

    def test_notices_a_cent(self):
        self.notices(": figures", **self.altered("windows", 40, lambda r: r.update(sales=r["sales"] + 1)))

    def test_notices_a_cent_in_a_total(self):
        self.notices(": total", **self.altered("windows", 40, lambda r: r["total"].update(sales=r["total"]["sales"] - 1)))

    def test_notices_a_missing_window(self):
        self.notices(": missing", windows=self.seen["windows"][1:])

    def test_notices_an_invented_window(self):
        late = dict(self.seen["windows"][-1], scope="country/FR")
        status, _ = self.compare(windows=self.seen["windows"] + [late])
        self.assertEqual(status, 1)

    def test_notices_a_window_written_twice(self):
        self.notices(": revisions", windows=self.seen["windows"] + self.seen["windows"][:1])

    def test_takes_the_last_revision(self):
        first = dict(self.seen["windows"][0], orders=1)
        corrected = dict(self.seen["windows"][0], revision=1)
        self.assertEqual(self.compare(windows=[first, corrected] + self.seen["windows"][1:])[0], 0)
        self.notices(": figures", windows=[dict(first, orders=first["orders"] + 7, revision=1), dict(first, revision=0)] + self.seen["windows"][1:])

    def test_notices_a_wrong_minute(self):
        self.notices(": minute", **self.altered("history", 1, lambda r: r["sales"].__setitem__(58, r["sales"][58] + 1)))

    def test_notices_a_wrong_peak(self):
        self.notices(": peak of shoppers", **self.altered("history", 1, lambda r: r["peak"]["shoppers"].update(value=3_000)))

    def test_notices_a_wrong_trending_item(self):
        self.notices(": items", **self.altered("trending", 3, lambda r: r["items"][0].update(units=r["items"][0]["units"] + 1)))

    def test_ignores_early_trending(self):
        early = dict(self.seen["trending"][0], final=False, items=[])
        self.assertEqual(self.compare(trending=self.seen["trending"] + [early])[0], 0)

    def test_notices_an_order_shipped_twice(self):
        self.notices('sum of "of"', **self.altered("shipments", 2, lambda r: r.update(of=r["of"] + 1)))


if __name__ == "__main__":
    unittest.main()
