// A reader of the event stream that shares no code with the page, so that the
// page's figures can be held against what the server really sent.

/** Reads until closed; `records` keeps every record by topic and emitted_at. */
export class Witness {
  records = new Map();
  counts = {};
  of = 0;
  #abort = new AbortController();
  #reader;

  constructor(origin, topics = 'metrics,history,trending,shipments', keys = 'world') {
    this.done = this.#run(`${origin}/v1/events?topics=${topics}&keys=${keys}`);
  }

  async #run(url) {
    const response = await fetch(url, { signal: this.#abort.signal, headers: { Accept: 'text/event-stream' } });
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    this.#reader = response.body.getReader();
    const decoder = new TextDecoder();
    let rest = '';
    for (;;) {
      const { value, done } = await this.#reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const blocks = rest.split('\n\n');
      rest = blocks.pop();
      for (const block of blocks) this.#take(block);
    }
  }

  #take(block) {
    const field = (name) => block.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    const topic = field('event');
    const data = field('data');
    if (!topic || !data) return;
    const record = JSON.parse(data);
    this.counts[topic] = (this.counts[topic] ?? 0) + 1;
    if (topic === 'shipments') this.of += record.of;
    if (record.emitted_at) this.records.set(`${topic} ${record.emitted_at}`, record);
    if (record.window_end) this.records.set(`${topic} ${record.emitted_at} ${record.window_end}`, record); // several are written at a time while there is something to catch up
  }

  /** Waits for the record of a topic that was written at a time, of a window if that is given. */
  async record(topic, emittedAt, windowEnd, ms = 5_000) {
    const key = [topic, emittedAt, windowEnd].filter(Boolean).join(' ');
    const end = Date.now() + ms;
    while (!this.records.has(key)) {
      if (Date.now() > end) throw new Error(`the stream sent no ${key}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return this.records.get(key);
  }

  /** Cancels besides aborting: a signal that Node has collected meanwhile aborts nothing. */
  async close() {
    this.#abort.abort();
    await this.#reader?.cancel().catch(() => {});
    await this.done.catch(() => {});
  }
}

const METRES = { kilometer: 1_000, mile: 1_609.344 };

/** What stands beside a mass in each language. */
const MASS = { zh: ['千克', '吨'] };

/**
 * How a figure must read in a locale, written down anew from what the page
 * promises (docs/page.md) and not from its code.
 */
export function expected(figure, value, currency, locale = 'en-US') {
  const intl = (options) => new Intl.NumberFormat(locale, options);
  const short = { notation: 'compact', minimumFractionDigits: 1, maximumFractionDigits: 2 };
  const digits = (n, count) => intl({ minimumFractionDigits: count, maximumFractionDigits: count }).format(n);
  const large = (n, count) => (n >= 1e8 ? intl(short).format(n) : digits(n, count));
  switch (figure) {
    case 'sales': {
      const units = value / 100; // the tests run on currencies with cents
      const style = { style: 'currency', currency, currencyDisplay: 'narrowSymbol' };
      if (units >= 1e8) return intl({ ...style, ...short }).format(units);
      return intl({ ...style, minimumFractionDigits: units >= 1_000 ? 0 : 2, maximumFractionDigits: units >= 1_000 ? 0 : 2 }).format(units);
    }
    case 'distance_m': {
      const unit = /-(US|GB)$/.test(locale) ? 'mile' : 'kilometer';
      const name = intl({ style: 'unit', unit, unitDisplay: 'short' }).formatToParts(5_000).find((part) => part.type === 'unit').value;
      return `${large(value / METRES[unit], value < 100_000 ? 1 : 0)}\u00a0${name}`;
    }
    case 'carbon_g': {
      const [kilogram, tonne] = MASS[locale.slice(0, 2)] ?? ['kg', 't'];
      if (value >= 1e7) return `${large(value / 1e6, value < 1e9 ? 2 : 0)}\u00a0${tonne}`;
      return `${large(value / 1_000, value < 100_000 ? 1 : 0)}\u00a0${kilogram}`;
    }
    default:
      return large(value, 0);
  }
}
