// The fake server's log: records with positions, of which the last are kept, so
// that a stream can be resumed without a gap or, beyond them, with one.
import { EventEmitter } from 'node:events';

/** Records that are kept: about three minutes. */
const KEPT = 4_000;

/** Batches that a new client is sent. */
const RECENT = 20;

/** How much was kept of the time before the start, for replays, in seconds: a window and a batch of each. */
const BEFORE_S = 150;

/** Topics as hello names them. */
export const TOPICS = Object.entries({ history: 'state', metrics: 'state', shipments: 'log', trending: 'state', windows: 'log' }).map(([name, kind]) => ({ name, kind }));
const STATE = new Set(TOPICS.filter((t) => t.kind === 'state').map((t) => t.name));

/** Position after the last record, records by position, the latest of each state topic. */
export class Log {
  seq = 0;
  entries = [];
  latest = new Map();
  feed = new EventEmitter().setMaxListeners(0);
  #timers = [];

  constructor(world) {
    this.world = world;
    const now = Date.now();
    for (let at = now - BEFORE_S * 1_000; at < now - 2_000; at += 1_000) {
      this.#keep('windows', this.#final(world.metrics(at), at));
      this.#keep('shipments', world.shipments(at));
    }
    for (const topic of ['history', 'trending', 'metrics']) this.#keep(topic, world[topic](now));
    for (let i = RECENT; i > 0; i--) this.#keep('shipments', world.shipments(now - i * 100));
    const every = (ms, topic, make) => this.#timers.push(setInterval(() => this.publish(topic, make(Date.now())), ms));
    every(1_000, 'metrics', (at) => world.metrics(at));
    every(1_000, 'windows', (at) => this.#final(this.latest.get('metrics').record, at));
    every(100, 'shipments', (at) => world.shipments(at));
    every(5_000, 'trending', (at) => world.trending(at));
    every(60_000, 'history', (at) => world.history(at));
  }

  /** The window that becomes final at a time. */
  #final(record, at) {
    return { ...record, window_end: new Date(Math.floor(at / 1_000) * 1_000 - 2_000).toISOString(), final: true, revision: 0 };
  }

  publish(topic, record) {
    this.feed.emit('entry', this.#keep(topic, record));
  }

  #keep(topic, record) {
    const entry = { seq: this.seq++, topic, record, ms: Date.parse(record.emitted_at) };
    this.entries.push(entry);
    if (this.entries.length > KEPT) this.entries.shift();
    if (STATE.has(topic)) this.latest.set(topic, entry);
    return entry;
  }

  /** What a client is owed that has all before `from`; undefined: it is not kept any more. */
  since(from) {
    if (from > this.seq || (from < this.entries[0].seq)) return undefined;
    return this.entries.filter((e) => e.seq >= from && (!STATE.has(e.topic) || this.latest.get(e.topic) === e));
  }

  /** What a new client is sent. */
  fresh() {
    return [...this.latest.values(), ...this.entries.filter((e) => e.topic === 'shipments').slice(-RECENT)].sort((a, b) => a.seq - b.seq);
  }

  /** The records of log topics that were written from one time up to another. */
  between(since, until) {
    return this.entries.filter((e) => !STATE.has(e.topic) && e.ms >= since && e.ms < until);
  }

  /** Orders of the batches at positions from one up to another. */
  orders(from, to = this.seq) {
    return this.entries.reduce((sum, e) => sum + (e.topic === 'shipments' && e.seq >= from && e.seq < to ? e.record.of : 0), 0);
  }

  close() {
    this.#timers.forEach(clearInterval);
  }
}
