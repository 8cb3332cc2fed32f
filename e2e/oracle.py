"""An independent opinion on livemap's figures: DuckDB over the same Parquet.

    oracle.py expect  --journey DIR --deliveries FILE.csv --start TIME --speed K --to FILE.duckdb
    oracle.py disorder --orders FILE.csv --lines FILE.csv --rates FILE.csv --products FILE.parquet --start TIME
                      --disorder-ms N --lateness-ms N --to FILE.duckdb
    oracle.py slice   --journey DIR --deliveries FILE.csv --to DIR
    oracle.py compare --expected FILE.duckdb --seen DIR [--until TIME]

`expect` computes every window, total and trending list (expected.sql, figures.sql). `compare`
holds against them what a reader of the topics saw (compare.sql): DIR has
windows.ndjson, history.ndjson, trending.ndjson and shipments.ndjson. It prints
what it compared and the first differences, and exits 1 if there is one. `disorder`
is `expect` for orders that are not purchases (disorder.sql). `slice` makes a folder of purchases of those that have a delivery.

Nothing here uses livemap's code. The deliveries (which household is where) are
input data that the purchases lack: see expected.sql.
"""

import argparse
import datetime
import sys
from pathlib import Path

import duckdb

HERE = Path(__file__).resolve().parent
SHOWN = 20  # differences printed; the rest is counted

# Grams of CO2 per tonne-kilometre, as docs/format/metrics.md says.
CARBON_FACTOR = 62


def milliseconds(text):
    """Reads a time such as 2026-01-05T00:00:00Z."""
    return round(datetime.datetime.fromisoformat(text).timestamp() * 1000)


def run(db, script, **variables):
    for name, value in variables.items():
        db.execute(f"SET VARIABLE {name} = ?", [value])
    db.execute((HERE / script).read_text())


def expect(args):
    with duckdb.connect(args.to) as db:
        run(db, "expected.sql",
            transactions=str(args.journey / "transactions.parquet"), products=str(args.journey / "products.parquet"),
            deliveries=str(args.deliveries), start_ms=milliseconds(args.start), speed=args.speed, carbon_factor=CARBON_FACTOR)
        run(db, "figures.sql")
        db.execute("CREATE TABLE parameters AS SELECT ?::BIGINT AS start_ms", [milliseconds(args.start)])
        # The join above is only right if the inputs fit each other.
        check(db, "baskets whose lines differ in time", "FROM baskets WHERE spread <> 0")
        check(db, "baskets without a delivery", "FROM baskets ANTI JOIN deliveries USING (basket)")
        check(db, "deliveries without a basket", "FROM deliveries ANTI JOIN baskets USING (basket)")
        check(db, "deliveries to another household than the basket's",
              "FROM baskets b JOIN deliveries d USING (basket) WHERE b.household <> d.household")
        check(db, "households in two places", "FROM households WHERE places <> 1")
        print(f"expected: {count(db, 'baskets')} orders, {count(db, 'windows')} windows, {count(db, 'trending')} trending items")
    return 0


def disorder(args):
    with duckdb.connect(args.to) as db:
        run(db, "disorder.sql", carbon_factor=CARBON_FACTOR, disorder_ms=args.disorder_ms, lateness_ms=args.lateness_ms,
            **{name: str(getattr(args, name)) for name in ("orders", "lines", "rates", "products")})
        run(db, "figures.sql")
        db.execute("CREATE TABLE parameters AS SELECT ?::BIGINT AS start_ms", [milliseconds(args.start)])
        check(db, "orders that come more than twice", "SELECT id FROM sent GROUP BY id HAVING count(*) > 2")
        verdicts = db.execute("SELECT verdict, count(*) FROM judged GROUP BY verdict ORDER BY verdict").fetchall()
        print(f"expected: {verdicts}, {count(db, 'windows')} windows, {count(db, 'trending')} trending items")
    return 0


def cut(args):
    with duckdb.connect() as db:
        db.execute(f"COPY (FROM read_parquet('{args.journey / 'transactions.parquet'}') SEMI JOIN read_csv('{args.deliveries}') d ON basket_id = d.basket) "
                   f"TO '{args.to / 'transactions.parquet'}' (FORMAT parquet)")
        db.execute(f"COPY (FROM read_parquet('{args.journey / 'products.parquet'}')) TO '{args.to / 'products.parquet'}' (FORMAT parquet)")
    return 0


def check(db, what, rows):
    n = count(db, f"({rows})")
    if n:
        sys.exit(f"oracle: {n} {what}")


def count(db, table):
    return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def compare(args):
    with duckdb.connect() as db:
        db.execute(f"ATTACH '{args.expected}' AS expected (READ_ONLY)")
        start_ms = db.execute("SELECT start_ms FROM expected.parameters").fetchone()[0]
        last_ms = db.execute("SELECT max(window_end) FROM expected.windows").fetchone()[0]
        run(db, "compare.sql", start_ms=start_ms, until_ms=milliseconds(args.until) if args.until else last_ms, shipped_again=args.shipped_again,
            **{f"seen_{topic}": str(args.seen / f"{topic}.ndjson") for topic in ("windows", "history", "trending", "shipments")})
        print(f"compared {count(db, 'windows_compared')} windows of {scopes(db, 'windows_compared')} scopes, "
              f"{count(db, 'history_compared')} minutes and {count(db, 'peaks_compared')} peaks of history, "
              f"{count(db, 'trending_compared')} trending lists of {scopes(db, 'trending_compared')}, "
              f"shipments of {scopes(db, 'shipments_compared')}")
        found = count(db, "differences")
        print(f"{found} differences")
        rows = db.execute(f"SELECT topic, scope, make_timestamp(window_end * 1000), what, seen, expected "
                      f"FROM differences ORDER BY window_end, topic, scope LIMIT {SHOWN}").fetchall()
        for topic, scope, end, what, seen, expected in rows:
            print(f"  {topic} {scope} {end}: {what}\n    seen     {seen}\n    expected {expected}")
    return 1 if found else 0


def scopes(db, table):
    return db.execute(f"SELECT count(DISTINCT scope) FROM {table}").fetchone()[0]


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    e = commands.add_parser("expect")
    e.add_argument("--journey", type=Path, required=True)
    e.add_argument("--deliveries", type=Path, required=True)
    e.add_argument("--start", required=True)
    e.add_argument("--speed", type=int, required=True)
    e.add_argument("--to", required=True)
    e.set_defaults(run=expect)
    d = commands.add_parser("disorder")
    for name in ("orders", "lines", "rates", "products"):
        d.add_argument(f"--{name}", type=Path, required=True)
    d.add_argument("--start", required=True)
    d.add_argument("--disorder-ms", type=int, required=True)
    d.add_argument("--lateness-ms", type=int, required=True)
    d.add_argument("--to", required=True)
    d.set_defaults(run=disorder)
    s = commands.add_parser("slice")
    s.add_argument("--journey", type=Path, required=True)
    s.add_argument("--deliveries", type=Path, required=True)
    s.add_argument("--to", type=Path, required=True)
    s.set_defaults(run=cut)
    c = commands.add_parser("compare")
    c.add_argument("--expected", required=True)
    c.add_argument("--seen", type=Path, required=True)
    c.add_argument("--until")
    c.add_argument("--shipped-again", action="store_true")
    c.set_defaults(run=compare)
    args = parser.parse_args(argv)
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
