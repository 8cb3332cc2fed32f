import type { Gap, Status, Stream } from '../client/index.ts';
import type { Arc, History, Latest, Shipments, Trending, Window } from '../client/records.ts';
import { Figures, type Moment } from './moments.ts';
import { Replay, type FetchPiece, type Screen, type Speed } from './replay.ts';
import { Sampling, type Sums } from './sampling.ts';

/** Rows of the list of latest orders that are kept. */
export const LATEST_ROWS = 16;

/** Latest orders that are remembered so that an arc can be told what it carries. */
const REMEMBERED = 64;

/** A new row of the list appears this often at most, in milliseconds: faster cannot be read. */
const ROW_MS = 900;

/** Figures older than this are dimmed, in milliseconds; they come every second. */
const STALE_MS = 6_000;

/** Windows that end longer ago than this, while new ones come, are those of somebody who catches up; in milliseconds. */
const BEHIND_MS = 15_000;

/** Arcs of batches older than this are not shown any more, in milliseconds. */
const ARCS_MS = 3_000;

/** How long a gap is told, in milliseconds. */
const GAP_MS = 12_000;

/** How often a replay goes on, in milliseconds. */
const REPLAY_MS = 100;

/** A row of the list of latest orders. */
export interface Row extends Latest {
  readonly id: number;
}

/** Takes arcs and says how many orders of them it shows. */
export type Shower = (arcs: readonly Arc[], spread: number) => number;

/** What a replay shows. */
export interface Replaying {
  /** The time that is shown, in milliseconds since 1970. */
  readonly at: number;
  readonly speed: Speed;
  /** Whether anything was kept of it; undefined while it is being fetched. */
  readonly kept: boolean | undefined;
}

/** Whom moments and batches are told. */
export interface Listener {
  moment(moment: Moment): void;
  /** A batch of the present; `complete`: every order of it is in its arcs. */
  batch(batch: Shipments, complete: boolean): void;
  /** Not every order was seen. */
  missed(): void;
}

const NOBODY: Listener = { moment() {}, batch() {}, missed() {} };

let nextRow = 1;

/** All that the panels show of one scope, as Svelte state, fed by one stream or by a replay. */
export class Live {
  status = $state.raw<Status>({ phase: 'connecting', since: Date.now() });
  window = $state.raw<Window>();
  history = $state.raw<History>();
  trending = $state.raw<Trending>();
  /** Ranks of the trending record of the window before, by product. */
  ranksBefore = $state.raw<ReadonlyMap<string, number>>(new Map());
  rows = $state.raw<readonly Row[]>([]);
  sampling = $state.raw<Sums>({ shown: 0, of: 0, seconds: 1 });
  /** Milliseconds from writing to painting, the median of the last batches. */
  latency = $state.raw<number>();
  gap = $state.raw<Gap>();
  /** Age of the figures in milliseconds, by the server's clock. */
  age = $state.raw(0);
  /** How far the figures lie behind the present although new ones come, in milliseconds; 0: they do not. */
  behind = $state.raw(0);
  now = $state.raw(Date.now());
  paused = $state.raw(false);
  replaying = $state.raw<Replaying>();
  /** Orders of all batches received, shown or not, and when the last of these was written. */
  received = $state.raw({ orders: 0, at: '' });

  /** Nobody until the page is there: the stream begins before it. */
  listener = NOBODY;

  private counter = new Sampling();
  private readonly figures = new Figures();
  private readonly delays: number[] = [];
  private readonly remembered: Latest[] = [];
  private waiting: Latest[] = [];
  private rowAt = 0;
  private gapUntil = 0;
  private shower: Shower | undefined;
  private replay: Replay | undefined;
  private replayTimer: ReturnType<typeof setInterval> | undefined;
  private readonly timer: ReturnType<typeof setInterval>;

  /** `scope` is `world` or `country/CC`; the stream carries its records and no others. */
  constructor(
    readonly scope: string,
    private readonly stream: Stream,
    private readonly fetchPiece: FetchPiece,
  ) {
    stream.onStatus((status) => (this.status = status));
    stream.onState<Window>('metrics', (value, key) => key === scope && this.present(() => this.minute(value)));
    stream.onState<History>('history', (value, key) => key === scope && (this.history = value));
    stream.onState<Trending>('trending', (value, key) => key === scope && this.present(() => this.trend(value)));
    stream.onLog<Shipments>('shipments', (batch) => this.batch(batch));
    stream.onGap((gap) => this.missed(gap));
    this.timer = setInterval(() => this.tick(), 300);
  }

  /** The code of the country that this is about; undefined: the world. */
  get country(): string | undefined {
    return this.scope.startsWith('country/') ? this.scope.slice(8) : undefined;
  }

  /** Figures are there, but not fresh any more. */
  get stale(): boolean {
    return !this.paused && this.replaying === undefined && this.window !== undefined && (this.status.phase !== 'live' || (this.age > STALE_MS && this.window.orders > 0));
  }

  /** The server's time, in milliseconds since 1970. */
  get serverNow(): number {
    return Date.now() + (this.stream.clockOffset ?? 0);
  }

  /** Gives the arcs to a globe from now on. */
  showOn(shower: Shower | undefined): void {
    this.shower = shower;
  }

  pause(on: boolean): void {
    this.paused = on;
    if (on) this.listener.missed();
    else if (!this.replaying) this.catchUp();
  }

  /** Shows what was at a time (milliseconds since 1970), and goes on from there. */
  replayFrom(at: number, speed: Speed): void {
    this.stopReplay();
    this.listener.missed();
    this.paused = false;
    this.rows = [];
    this.waiting = [];
    this.window = undefined;
    this.trending = undefined;
    this.counter = new Sampling();
    let before: Window | undefined;
    const screen: Screen = {
      window: (window) => {
        // All orders between two windows, of which only some have arcs.
        if (before) this.counter.add(0, Math.max(0, window.total.orders - before.total.orders), Date.now());
        before = window;
        this.window = window;
      },
      batch: (batch, spread) => {
        this.list(batch);
        this.counter.add(this.shower?.(batch.arcs, spread) ?? 0, 0, Date.now());
      },
      arrived: () => this.backToLive(),
    };
    const replay = new Replay(this.fetchPiece, screen, at, speed, this.serverNow);
    this.replay = replay;
    this.replaying = { at, speed, kept: undefined };
    this.replayTimer = setInterval(() => {
      if (this.paused) return;
      replay.tick(this.serverNow);
      if (this.replay === replay) this.replaying = { at: replay.at, speed, kept: replay.kept };
    }, REPLAY_MS);
  }

  /** Shows the present again. */
  backToLive(): void {
    if (!this.replaying) return;
    this.stopReplay();
    this.rows = [];
    this.waiting = [];
    this.counter = new Sampling();
    this.paused = false;
    this.catchUp();
  }

  private stopReplay(): void {
    clearInterval(this.replayTimer);
    this.replay?.close();
    this.replay = undefined;
    this.replaying = undefined;
  }

  /** One of the latest orders for which `fits` holds, the newest first. */
  latestWhere(fits: (latest: Latest) => boolean): Latest | undefined {
    return this.remembered.findLast(fits);
  }

  retryNow(): void {
    this.stream.retryNow();
  }

  renew(): void {
    this.stream.renew();
  }

  close(): void {
    clearInterval(this.timer);
    this.stopReplay();
    this.stream.close();
  }

  /** Does what is about the present, unless something else is shown. */
  private present(change: () => void): void {
    if (!this.paused && !this.replaying) change();
  }

  private catchUp(): void {
    this.window = this.stream.state<Window>('metrics').get(this.scope);
    this.trend(this.stream.state<Trending>('trending').get(this.scope));
  }

  private minute(value: Window | undefined): void {
    this.window = value;
    if (value) for (const moment of this.figures.take(value, this.history, performance.now())) this.listener.moment(moment);
  }

  private trend(value: Trending | undefined): void {
    const before = this.trending;
    if (before && value && before.window_end !== value.window_end)
      this.ranksBefore = new Map(before.items.map((item) => [item.product, item.rank]));
    this.trending = value;
  }

  private batch(batch: Shipments): void {
    this.received = { orders: this.received.orders + batch.of, at: batch.emitted_at };
    this.present(() => {
      this.list(batch);
      this.listener.batch(batch, batch.shown === batch.of);
      if ((this.stream.age(batch.emitted_at) ?? 0) > ARCS_MS) return;
      const drawn = this.shower?.(batch.arcs, 100) ?? 0;
      // Orders within one city have no arc of their own and count as shown with the batch.
      this.counter.add(Math.min(drawn, batch.shown), batch.of, Date.now());
      requestAnimationFrame(() => this.painted(batch.emitted_at));
    });
  }

  /** Puts the latest orders of a batch where the list takes them from. */
  private list(batch: Shipments): void {
    for (const latest of batch.latest) this.remembered.push(latest);
    if (this.remembered.length > REMEMBERED) this.remembered.splice(0, this.remembered.length - REMEMBERED);
    this.waiting = [...batch.latest, ...this.waiting].slice(0, LATEST_ROWS);
    if (this.rows.length < LATEST_ROWS) this.fill();
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
    return { ...latest, id: nextRow++ };
  }

  private missed(gap: Gap): void {
    this.gap = gap;
    this.gapUntil = Date.now() + GAP_MS;
    this.listener.missed();
  }

  private tick(): void {
    const now = Date.now();
    this.now = now;
    if (this.gap && now > this.gapUntil) this.gap = undefined;
    if (this.window && !this.replaying) {
      this.age = Math.max(0, this.stream.age(this.window.emitted_at) ?? 0);
      const late = this.serverNow - Date.parse(this.window.window_end);
      this.behind = this.age <= STALE_MS && late > BEHIND_MS ? late : 0;
    }
    this.latency = median(this.delays);
    if (this.paused) return;
    const sums = this.counter.sums(now);
    if (sums.of !== this.sampling.of || sums.shown !== this.sampling.shown || sums.seconds !== this.sampling.seconds) this.sampling = sums;
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
