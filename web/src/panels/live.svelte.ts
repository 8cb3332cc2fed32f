import type { Gap, Status, Stream } from '../client/index.ts';
import type { Arc, History, Latest, Shipments, Trending, Window } from '../client/records.ts';
import { Sampling } from './sampling.ts';

/** The scope that the page shows. */
export const SCOPE = 'world';

/** Rows of the list of latest orders that are kept. */
export const LATEST_ROWS = 16;

/** A new row of the list appears this often at most, in milliseconds: faster cannot be read. */
const ROW_MS = 900;

/** Figures older than this are dimmed, in milliseconds; they come every second. */
const STALE_MS = 6_000;

/** Arcs of batches older than this are not shown any more, in milliseconds. */
const ARCS_MS = 3_000;

/** How long a gap is told, in milliseconds. */
const GAP_MS = 12_000;

/** A row of the list of latest orders. */
export interface Row extends Latest {
  readonly id: number;
}

/** Takes arcs and says how many orders of them it shows. */
export type Shower = (arcs: readonly Arc[], spread: number) => number;

/** All that the panels show, as Svelte state, fed by one stream. */
export class Live {
  status = $state.raw<Status>({ phase: 'connecting', since: Date.now() });
  window = $state.raw<Window>();
  history = $state.raw<History>();
  trending = $state.raw<Trending>();
  /** Ranks of the trending record of the window before, by product. */
  ranksBefore = $state.raw<ReadonlyMap<string, number>>(new Map());
  rows = $state.raw<readonly Row[]>([]);
  sampling = $state.raw({ shown: 0, of: 0 });
  /** Milliseconds from writing to painting, the median of the last batches. */
  latency = $state.raw<number>();
  gap = $state.raw<Gap>();
  /** Age of the figures in milliseconds, by the server's clock. */
  age = $state.raw(0);
  now = $state.raw(Date.now());
  paused = $state.raw(false);
  /** Orders of all batches received, shown or not. */
  received = 0;

  private readonly counter = new Sampling();
  private readonly delays: number[] = [];
  private waiting: Latest[] = [];
  private nextRow = 1;
  private rowAt = 0;
  private gapUntil = 0;
  private shower: Shower | undefined;
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(private readonly stream: Stream) {
    stream.onStatus((status) => (this.status = status));
    stream.onState<Window>('metrics', (value, key) => key === SCOPE && this.unlessPaused(() => (this.window = value)));
    stream.onState<History>('history', (value, key) => key === SCOPE && this.unlessPaused(() => (this.history = value)));
    stream.onState<Trending>('trending', (value, key) => key === SCOPE && this.unlessPaused(() => this.trend(value)));
    stream.onLog<Shipments>('shipments', (batch) => this.batch(batch));
    stream.onGap((gap) => this.missed(gap));
    this.timer = setInterval(() => this.tick(), 300);
  }

  /** Figures are there, but not fresh any more. */
  get stale(): boolean {
    return this.window !== undefined && (this.status.phase !== 'live' || (this.age > STALE_MS && this.window.orders > 0));
  }

  /** Gives the arcs to a globe from now on. */
  showOn(shower: Shower | undefined): void {
    this.shower = shower;
  }

  pause(on: boolean): void {
    this.paused = on;
    if (on) return;
    this.window = this.stream.state<Window>('metrics').get(SCOPE);
    this.history = this.stream.state<History>('history').get(SCOPE);
    this.trend(this.stream.state<Trending>('trending').get(SCOPE));
  }

  retryNow(): void {
    this.stream.retryNow();
  }

  renew(): void {
    this.stream.renew();
  }

  close(): void {
    clearInterval(this.timer);
    this.stream.close();
  }

  private unlessPaused(change: () => void): void {
    if (!this.paused) change();
  }

  private trend(value: Trending | undefined): void {
    const before = this.trending;
    if (before && value && before.window_end !== value.window_end)
      this.ranksBefore = new Map(before.items.map((item) => [item.product, item.rank]));
    this.trending = value;
  }

  private batch(batch: Shipments): void {
    this.received += batch.of;
    const age = this.stream.age(batch.emitted_at) ?? 0;
    if (this.paused) return;
    this.waiting = [...batch.latest, ...this.waiting].slice(0, LATEST_ROWS);
    if (this.rows.length < LATEST_ROWS) this.fill();
    if (age > ARCS_MS) return;
    const drawn = this.shower?.(batch.arcs, 100) ?? 0;
    // Orders within one city have no arc of their own and count as shown with the batch.
    this.counter.add(Math.min(drawn, batch.shown), batch.of, Date.now());
    requestAnimationFrame(() => this.painted(batch.emitted_at));
  }

  private painted(emittedAt: string): void {
    const delay = this.stream.age(emittedAt);
    if (delay === undefined) return;
    this.delays.push(Math.max(0, delay));
    if (this.delays.length > 21) this.delays.shift();
  }

  /** Until the list is full, rows appear as they come. */
  private fill(): void {
    const room = LATEST_ROWS - this.rows.length;
    const fresh = this.waiting.splice(0, room).map((latest) => this.row(latest));
    this.rows = [...fresh, ...this.rows];
  }

  private row(latest: Latest): Row {
    return { ...latest, id: this.nextRow++ };
  }

  private missed(gap: Gap): void {
    this.gap = gap;
    this.gapUntil = Date.now() + GAP_MS;
  }

  private tick(): void {
    const now = Date.now();
    this.now = now;
    if (this.gap && now > this.gapUntil) this.gap = undefined;
    if (this.window) this.age = Math.max(0, this.stream.age(this.window.emitted_at) ?? 0);
    this.latency = median(this.delays);
    if (this.paused) return;
    const sums = this.counter.sums(now);
    if (sums.of !== this.sampling.of || sums.shown !== this.sampling.shown) this.sampling = sums;
    const next = this.waiting[0];
    if (next && now - this.rowAt >= ROW_MS) {
      this.rowAt = now;
      this.waiting = [];
      this.rows = [this.row(next), ...this.rows].slice(0, LATEST_ROWS);
    }
  }
}

function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
