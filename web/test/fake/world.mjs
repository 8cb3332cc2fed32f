// Made-up but plausible records for the fake server. Not the synthetic
// shop world of package orders: only what is needed to look at the page.

const CITIES = [
  ['Toronto', 43.65, -79.38], ['New York', 40.71, -74.0], ['Los Angeles', 34.05, -118.24], ['Chicago', 41.88, -87.63],
  ['Mexico City', 19.43, -99.13], ['São Paulo', -23.55, -46.63], ['Buenos Aires', -34.6, -58.38], ['Lima', -12.05, -77.04],
  ['London', 51.5, -0.12], ['Paris', 48.86, 2.35], ['Berlin', 52.52, 13.4], ['Madrid', 40.42, -3.7], ['Rome', 41.9, 12.5],
  ['Stockholm', 59.33, 18.07], ['Łódź', 51.77, 19.46], ['Istanbul', 41.01, 28.98], ['Cairo', 30.04, 31.24], ['Lagos', 6.52, 3.38],
  ['Nairobi', -1.29, 36.82], ['Johannesburg', -26.2, 28.05], ['Dubai', 25.2, 55.27], ['Mumbai', 19.08, 72.88],
  ['Delhi', 28.61, 77.21], ['Bangkok', 13.76, 100.5], ['Singapore', 1.35, 103.82], ['Jakarta', -6.21, 106.85],
  ['Shanghai', 31.23, 121.47], ['Seoul', 37.57, 126.98], ['東京', 35.68, 139.69], ['Sydney', -33.87, 151.21], ['Auckland', -36.85, 174.76],
];
const WEIGHTS = CITIES.map((_, i) => 1 + ((i * 7) % 5) + (i < 4 || (i > 7 && i < 11) ? 5 : 0));

const PRODUCTS = [
  ['Merino base layer', 'Apparel'], ['Pour-over kettle', 'Kitchen'], ['Trail running shoes', 'Footwear'], ['Linen duvet cover', 'Home'],
  ['Ceramic dripper', 'Kitchen'], ['Noise-cancelling earbuds', 'Electronics'], ['Cast-iron skillet', 'Kitchen'], ['Standing desk mat', 'Office'],
  ['Wool beanie', 'Apparel'], ['Rechargeable bike light with an uncommonly long name', 'Outdoor'], ['Matte lip tint', 'Beauty'], ['Wooden train set', 'Toys'],
];

/** A small seeded generator (mulberry32), so that pictures can be compared. */
export function random(seed) {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const iso = (ms) => new Date(ms).toISOString();

/** Makes records for `rate` orders a second. */
export class World {
  constructor(rate, seed = 1) {
    this.rate = rate;
    this.random = random(seed);
    this.since = Date.now() - 3 * 3_600_000;
    this.sum = { orders: 0, sales: 0, distance_m: 0, carbon_g: 0 };
    this.level = 1;
  }

  city() {
    const total = WEIGHTS.reduce((a, b) => a + b, 0);
    let x = this.random() * total;
    return CITIES[WEIGHTS.findIndex((w) => (x -= w) < 0)] ?? CITIES[0];
  }

  minute(level) {
    const orders = Math.round(this.rate * 60 * level);
    return {
      orders,
      sales: Math.round(orders * 8_431 * (0.97 + 0.06 * this.random())),
      shoppers: Math.round(orders * 0.94),
      distance_m: Math.round(orders * 4_870_000 * (0.97 + 0.06 * this.random())),
      carbon_g: Math.round(orders * 341 * (0.97 + 0.06 * this.random())),
    };
  }

  metrics(now) {
    this.level = Math.max(0.6, Math.min(1.5, this.level + (this.random() - 0.5) * 0.05));
    const figures = this.minute(this.level);
    // Three hours less ten minutes at first, then a second each time.
    const minutes = this.sum.orders === 0 ? 170 : 1 / 60;
    for (const name of Object.keys(this.sum)) this.sum[name] += Math.round(figures[name] * minutes);
    return {
      v: 1, scope: 'world', window_end: iso(Math.floor(now / 1_000) * 1_000), ...figures, currency: 'USD', final: false,
      total: { since: iso(this.since), ...this.sum }, emitted_at: iso(now),
    };
  }

  history(now) {
    const end = Math.floor(now / 60_000) * 60_000;
    const record = { v: 1, scope: 'world', window_end: iso(end), currency: 'USD', orders: [], sales: [], shoppers: [], distance_m: [], carbon_g: [], peak: {}, emitted_at: iso(now) };
    for (let i = 0; i < 60; i++) {
      const level = 0.95 + 0.22 * Math.sin(i / 9) + 0.12 * Math.sin(i / 3.1) + 0.08 * (this.random() - 0.5);
      for (const [name, value] of Object.entries(this.minute(level))) record[name].push(value);
    }
    for (const name of ['orders', 'sales', 'shoppers', 'distance_m', 'carbon_g']) {
      const value = Math.max(...record[name]);
      record.peak[name] = { value, window_end: iso(end - (59 - record[name].indexOf(value)) * 60_000) };
    }
    return record;
  }

  trending(now) {
    const items = PRODUCTS.map(([title, category], i) => {
      const units = Math.round(this.rate * (9 - i * 0.6) * (0.85 + 0.3 * this.random()));
      const score = 1.9 - i * 0.11 + 0.12 * this.random();
      return { rank: 0, product: `p${i}`, title, category, units, score: Number(score.toFixed(4)), change: Math.round(100 * (score - 1)) };
    });
    items.sort((a, b) => b.score - a.score);
    const end = Math.ceil(now / 60_000) * 60_000;
    return { v: 1, scope: 'world', window_end: iso(end), final: false, items: items.slice(0, 10).map((item, i) => ({ ...item, rank: i + 1 })), emitted_at: iso(now) };
  }

  shipments(now, batchMs = 100) {
    const of = Math.max(0, Math.round((this.rate * batchMs) / 1_000));
    const cells = new Map();
    const latest = [];
    for (let i = 0; i < of; i++) {
      const from = this.city();
      const to = this.city();
      const key = `${from[0]}>${to[0]}`;
      const arc = cells.get(key) ?? { from: [from[1], from[2]], to: [to[1], to[2]], n: 0 };
      arc.n++;
      cells.set(key, arc);
      if (latest.length < 4) {
        const [title] = PRODUCTS[Math.floor(this.random() * PRODUCTS.length)];
        latest.push({ at: iso(now - 40), title, amount: 500 + Math.floor(this.random() * 40_000), currency: this.random() < 0.1 ? 'JPY' : 'USD', from: from[0], to: to[0] });
      }
    }
    const arcs = [...cells.values()].sort((a, b) => b.n - a.n).slice(0, 64);
    return { v: 1, scope: 'world', at: iso(now - 40), shown: arcs.reduce((sum, arc) => sum + arc.n, 0), of, arcs, latest, emitted_at: iso(now) };
  }
}
