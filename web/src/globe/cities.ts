import table from '../../../orders/gazetteer/cities.csv?url';

/** A city of GeoNames, with its country and the people who live there. */
export interface City {
  readonly name: string;
  readonly country: string;
  readonly lat: number;
  readonly lon: number;
  readonly people: number;
}

/** Degrees of the cells between which shipments are counted; see docs/format/shipments.md. */
const CELL = 0.5;

/** A number for a cell, so that looking one up allocates nothing. */
const cellOf = (lat: number, lon: number) => Math.round(lat / CELL) * 1_000 + Math.round(lon / CELL);

/** The world's larger cities by name and by cell, the largest first. */
export class Places {
  private readonly byCell = new Map<number, City[]>();
  private readonly byName = new Map<string, City[]>();

  constructor(readonly cities: readonly City[]) {
    for (const city of cities) {
      push(this.byCell, cellOf(city.lat, city.lon), city);
      push(this.byName, city.name, city);
    }
  }

  /** The largest city of the cell of a place, or of those around it. */
  near(lat: number, lon: number): City | undefined {
    const here = this.byCell.get(cellOf(lat, lon));
    if (here) return here[0];
    for (const [dy, dx] of [[0, CELL], [0, -CELL], [CELL, 0], [-CELL, 0]] as const) {
      const there = this.byCell.get(cellOf(lat + dy, lon + dx));
      if (there) return there[0];
    }
    return undefined;
  }

  /** Whether a city of that name lies in the cell of a place, or beside it. */
  isAt(name: string, lat: number, lon: number): boolean {
    return (this.byName.get(name) ?? []).some((c) => Math.abs(c.lat - lat) <= CELL && Math.abs(c.lon - lon) <= CELL);
  }

  /** The largest city of a country. */
  largestOf(country: string): City | undefined {
    return this.cities.find((city) => city.country === country);
  }
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

/** Reads the table of orders/gazetteer: a line a city, no quotes in it. */
export function parseCities(text: string): City[] {
  return text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => {
      const [name, country, lat, lon, people] = line.split(',');
      return { name: name!, country: country!, lat: Number(lat), lon: Number(lon), people: Number(people) };
    });
}

let loaded: Promise<Places> | undefined;

/** Fetches the cities, once for all callers. Without them the map has no names and no lights: no reason to fail. */
export function loadPlaces(): Promise<Places> {
  loaded ??= fetch(table)
    .then((response) => (response.ok ? response.text() : ''))
    .catch(() => '')
    .then((text) => new Places(parseCities(text)));
  return loaded;
}
