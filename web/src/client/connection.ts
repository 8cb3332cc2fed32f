import { Backoff, retryAfterMs } from './backoff.ts';
import { streamParser, type ServerEvent } from './parser.ts';
import { address, type Gap, type Kind, type Message, type Phase, type Query, type Source, type Status } from './protocol.ts';

/** A connection is given up after this many heartbeats of silence. */
export const SILENT_HEARTBEATS = 2.5;

/** Assumed until hello names the heartbeat. */
const FIRST_HEARTBEAT_MS = 10_000;

/** What a connection needs of its surroundings; tests put in their own. */
export interface Surroundings {
  fetch(input: string, init: RequestInit): Promise<Response>;
  now(): number;
  random(): number;
}

const browser: Surroundings = {
  fetch: (input, init) => fetch(input, init),
  now: () => Date.now(),
  random: () => Math.random(),
};

/**
 * Keeps one stream of events open: connects, watches over it, waits and
 * resumes with the last id. It holds no record; what it hears goes to `sink`.
 */
export class Connection implements Source {
  private status: Status;
  private lastId = '';
  private heartbeatMs = FIRST_HEARTBEAT_MS;
  private offset: number | undefined;
  private kinds: ReadonlyMap<string, Kind> = new Map();
  private goodbye: string | undefined;
  private silent = false;
  private attempt: AbortController | undefined;
  private watchdog: ReturnType<typeof setTimeout> | undefined;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly backoff: Backoff;

  constructor(
    private readonly query: Query,
    private readonly sink: (message: Message) => void,
    private readonly around: Surroundings = browser,
  ) {
    this.backoff = new Backoff(() => around.random());
    this.status = { phase: 'connecting', since: around.now() };
  }

  /** Starts the first attempt. */
  open(): this {
    this.sink({ type: 'status', status: this.status });
    void this.run();
    return this;
  }

  retryNow(): void {
    if (this.retryTimer !== undefined) void this.run();
  }

  renew(): void {
    if (this.status.phase !== 'expired' && this.status.phase !== 'closed') return;
    this.enter('reconnecting');
    void this.run();
  }

  close(): void {
    this.enter('closed');
    this.stop();
  }

  private stop(): void {
    clearTimeout(this.watchdog);
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
    this.attempt?.abort();
    this.attempt = undefined;
  }

  private enter(phase: Phase, more: Partial<Status> = {}): void {
    if (phase === this.status.phase && more.retryAt === this.status.retryAt && more.reason === this.status.reason) return;
    const since = phase === this.status.phase ? this.status.since : this.around.now();
    this.status = { phase, since, ...more };
    this.sink({ type: 'status', status: this.status });
  }

  /** One attempt, from the request to the end of its stream. */
  private async run(): Promise<void> {
    this.stop();
    const attempt = new AbortController();
    this.attempt = attempt;
    this.goodbye = undefined;
    this.silent = false;
    this.watch();
    let reason: string;
    try {
      const response = await this.around.fetch(address(this.query), {
        headers: this.headers(),
        cache: 'no-store',
        credentials: 'same-origin',
        signal: attempt.signal,
      });
      if (!(await this.accepted(response))) return;
      reason = await this.read(response);
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    if (this.attempt === attempt) this.wait(reason);
  }

  private headers(): Record<string, string> {
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    if (this.lastId !== '') headers['Last-Event-ID'] = this.lastId;
    if (this.query.token !== undefined) headers['Authorization'] = `Bearer ${this.query.token}`;
    return headers;
  }

  /** Whether the answer is a stream; where trying again is useless it stops here. */
  private async accepted(response: Response): Promise<boolean> {
    const type = response.headers.get('Content-Type') ?? '';
    if (response.ok && type.startsWith('text/event-stream')) return true;
    const title = await problemTitle(response);
    const after = retryAfterMs(response.headers.get('Retry-After'), this.around.now());
    if (after !== undefined) this.backoff.name(after);
    if (response.status === 401) this.enter('expired', { reason: title });
    else if (response.status >= 400 && response.status < 500 && response.status !== 408 && response.status !== 429)
      this.enter('closed', { reason: title });
    else throw new Error(title);
    this.stop();
    return false;
  }

  /** Reads until the stream ends and returns why it did. */
  private async read(response: Response): Promise<string> {
    const reader = response.body!.getReader();
    const parser = streamParser({
      event: (event) => this.hear(event),
      retry: (ms) => this.backoff.retry(ms),
    });
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return this.goodbye ?? 'ended';
      parser.feed(value);
    }
  }

  /** Waits for the next attempt, or ends in `expired`. */
  private wait(reason: string): void {
    this.stop();
    if (this.goodbye === 'expired') {
      this.enter('expired', { reason });
      return;
    }
    if (this.goodbye !== undefined) this.backoff.name();
    const delay = this.backoff.next();
    // Before the first event there is nothing to reconnect to: the page goes on saying "connecting".
    const phase = this.status.phase === 'connecting' ? 'connecting' : 'reconnecting';
    this.enter(phase, { retryAt: this.around.now() + delay, reason: this.silent ? 'silent' : reason });
    this.retryTimer = setTimeout(() => void this.run(), delay);
  }

  /** Winds the watchdog up again. */
  private watch(): void {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => this.bark(), this.heartbeatMs * SILENT_HEARTBEATS);
  }

  /** Nothing was heard for too long: a sleeping laptop, a dead proxy, a stalled pod. */
  private bark(): void {
    this.silent = true;
    if (this.status.phase === 'live') this.enter('stale');
    this.attempt?.abort();
  }

  private hear(event: ServerEvent): void {
    this.watch();
    if (event.id !== undefined) this.lastId = event.id;
    const data = parse(event.data);
    if (data === undefined) return;
    this.backoff.succeeded();
    switch (event.name) {
      case 'hello':
        this.hello(data);
        break;
      case 'heartbeat':
        this.clock(data['now']);
        break;
      case 'goodbye':
        this.goodbye = text(data['reason']) ?? 'goodbye';
        return;
      case 'gap':
        this.sink({ type: 'gap', gap: data as unknown as Gap });
        break;
      case 'delete':
        this.sink({ type: 'delete', topic: text(data['topic']) ?? '', key: text(data['key']) ?? '' });
        break;
      default:
        this.record(event.name, data);
    }
    this.enter('live');
  }

  private record(topic: string, data: Record<string, unknown>): void {
    const kind = this.kinds.get(topic);
    if (kind === undefined) return; // hello did not name it: an event of a newer server
    this.sink({ type: 'record', topic, kind, key: text(data['scope']) ?? '', value: data, id: this.lastId });
  }

  private hello(data: Record<string, unknown>): void {
    const beat = data['heartbeat_ms'];
    if (typeof beat === 'number' && beat > 0) this.heartbeatMs = beat;
    this.kinds = kindsOf(data['topics']);
    this.offset = undefined;
    this.clock(data['now']);
    this.watch();
  }

  /**
   * Learns how far the server's clock is ahead of ours. What arrives is older
   * than when it was written, so the largest difference seen is the nearest.
   */
  private clock(now: unknown): void {
    const server = typeof now === 'string' ? Date.parse(now) : NaN;
    const offset = server - this.around.now();
    if (Number.isNaN(offset) || (this.offset !== undefined && offset <= this.offset)) return;
    this.offset = offset;
    this.sink({ type: 'clock', offset });
  }
}

/** The topics of a stream by name, as hello lists them. */
function kindsOf(topics: unknown): ReadonlyMap<string, Kind> {
  const kinds = new Map<string, Kind>();
  for (const topic of Array.isArray(topics) ? topics : []) {
    const { name, kind } = (topic ?? {}) as Record<string, unknown>;
    if (typeof name === 'string' && (kind === 'log' || kind === 'state')) kinds.set(name, kind);
  }
  return kinds;
}

/** The object in an event's data; undefined for anything else, which is left out. */
function parse(data: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** The title of an RFC 9457 problem, or the status line. */
async function problemTitle(response: Response): Promise<string> {
  const body = parse(await response.text().catch(() => ''));
  return text(body?.['title']) ?? `${response.status} ${response.statusText}`.trim();
}
