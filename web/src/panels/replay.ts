import type { Shipments, Window } from '../client/records.ts';

/** Records of a stretch of time, in the order in which they were written. */
export interface Piece {
  readonly windows: readonly Window[];
  readonly batches: readonly Shipments[];
}

/**
 * Fetches what was written between two times (milliseconds since 1970): the
 * windows of all of it, the batches from `from` to `batchesTo` only.
 */
export type FetchPiece = (from: number, to: number, batchesTo: number, signal: AbortSignal) => Promise<Piece>;

/** What a replay does to the page. */
export interface Screen {
  window(window: Window): void;
  batch(batch: Shipments, spreadMs: number): void;
  /** The replay has come to the present. */
  arrived(): void;
}

/** How fast a replay can be. */
export const SPEEDS = [1, 10, 60] as const;
export type Speed = (typeof SPEEDS)[number];

/** Real time that one piece lasts, in milliseconds. At 60x it covers five minutes. */
export const PIECE_MS = 5_000;

/** How much is asked for at least while nothing was kept, in milliseconds: an hour of nothing is soon over. */
const SKIP_MS = 30_000;

/** After so long what could not be fetched is asked for again, in milliseconds. */
const AGAIN_MS = 2_000;

/** Where the present begins, in milliseconds before now: windows are final a little later than they end. */
const PRESENT_MS = 6_000;

/** Nearer to the present than this a replay is at its end: what it would show next is still being written. */
const ARRIVED_MS = PRESENT_MS + PIECE_MS + 1_000;

/** Batches come up to ten times a second. */
const BATCH_MS = 100;

interface Loaded {
  readonly from: number;
  readonly to: number;
  readonly piece: Piece;
  window: number;
  batch: number;
}

/**
 * Shows a time that has passed, by fetching closed pieces of it: never by
 * holding back a live stream. Faster than real time it shows all figures, and
 * of the orders those of the first seconds of each piece, at the speed at which
 * they happened: more could not be seen, nor should it be fetched.
 */
export class Replay {
  private readonly stop = new AbortController();
  private readonly pieces: Loaded[] = [];
  private fetching = false;
  private next: number;
  private again = 0;
  private last: number;
  /** The time that is shown, in milliseconds since 1970. */
  at: number;
  /** Whether anything was kept of the time that is shown; undefined while it is being fetched. */
  kept: boolean | undefined;

  /** `now` is the time of the server. */
  constructor(private readonly fetchPiece: FetchPiece, private readonly screen: Screen, from: number, readonly speed: Speed, now: number) {
    this.at = from;
    this.next = from;
    this.last = now;
  }

  close(): void {
    this.stop.abort();
  }

  /** Shows what is due. To be called ten times a second with the server's time. */
  tick(now: number): void {
    const passed = Math.min(1_000, Math.max(0, now - this.last));
    this.last = now;
    const piece = this.pieces[0];
    if (this.pieces.length < 2 && !this.fetching && this.next < now - PRESENT_MS && now >= this.again) void this.fetch(now);
    if (piece === undefined) {
      if (this.again > 0) this.kept = undefined;
      if (!this.fetching && this.at >= now - ARRIVED_MS) this.screen.arrived();
      return; // nothing moves until it is there
    }
    this.kept = piece.piece.windows.length + piece.piece.batches.length > 0;
    // Where nothing was kept there is nothing to look at: on to where there is.
    this.at = this.kept ? Math.min(piece.to, this.at + passed * this.speed) : piece.to;
    this.show(piece);
    if (this.at >= piece.to) this.pieces.shift();
    if (this.at >= now - ARRIVED_MS) this.screen.arrived();
  }

  private show(loaded: Loaded): void {
    const { piece } = loaded;
    let window: Window | undefined;
    while (loaded.window < piece.windows.length && Date.parse(piece.windows[loaded.window]!.emitted_at) <= this.at) window = piece.windows[loaded.window++];
    if (window) this.screen.window(window);
    // Batches run at the speed at which they happened, whatever that of the figures.
    const run = loaded.from + (this.at - loaded.from) / this.speed;
    while (loaded.batch < piece.batches.length && Date.parse(piece.batches[loaded.batch]!.emitted_at) <= run) this.screen.batch(piece.batches[loaded.batch++]!, BATCH_MS);
  }

  private async fetch(now: number): Promise<void> {
    this.fetching = true;
    const from = this.next;
    const long = this.kept === false ? Math.max(PIECE_MS * this.speed, SKIP_MS) : PIECE_MS * this.speed;
    const to = Math.min(from + long, now - PRESENT_MS);
    this.next = to;
    const batchesTo = this.speed === 1 ? to : Math.min(to, from + PIECE_MS);
    const piece = await this.fetchPiece(from, to, batchesTo, this.stop.signal).catch(() => undefined);
    this.fetching = false;
    if (this.stop.signal.aborted) return;
    if (piece) this.pieces.push({ from, to, piece, window: 0, batch: 0 });
    else {
      // What could not be had may be had later: nothing is left out in silence.
      this.next = from;
      this.again = now + AGAIN_MS;
    }
  }
}
