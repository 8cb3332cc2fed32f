import { Backoff, retryAfterMs } from './backoff.ts';
import { Credentials } from './credentials.ts';
import { troubleOf, type Trouble } from './errors.ts';
import { Hearing } from './hearing.ts';
import { streamParser } from './parser.ts';
import { address, type Message, type Phase, type Query, type Sink, type Source, type Status, type Tokens } from './protocol.ts';
import { refusal } from './refusal.ts';
import { browser, type Surroundings } from './surroundings.ts';

/** A connection is given up after this many heartbeats of silence. */
export const SILENT_HEARTBEATS = 2.5;

/** A stream that lived this long was no failure: the next wait starts from the bottom, in milliseconds. */
const GOOD_MS = 5_000;

/** What a connection can be given beside its query. */
export interface More {
  readonly tokens?: Tokens | undefined;
  /** What to resume with: the stream was heard elsewhere before. */
  readonly lastId?: string;
  readonly around?: Surroundings;
}

/**
 * Keeps one stream of events open: connects, watches over it, waits, renews its
 * credentials and resumes with the last id. It holds no record; what it hears
 * goes to `sink`, all that came in one piece together.
 */
export class Connection implements Source {
  private status: Status;
  private readonly hearing: Hearing;
  private readonly credentials: Credentials;
  private readonly backoff: Backoff;
  private readonly around: Surroundings;
  private attempt: AbortController | undefined;
  private silent = false;
  /** The present wait was asked for by the server. */
  private named = false;
  private heardAt = 0;
  private liveAt: number | undefined;
  private watchdog: ReturnType<typeof setTimeout> | undefined;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private unsaid: Message[] = [];

  constructor(
    private readonly query: Query,
    private readonly sink: Sink,
    { tokens, lastId, around = browser }: More = {},
  ) {
    this.around = around;
    this.backoff = new Backoff(() => around.random());
    this.hearing = new Hearing(query, (message) => void this.unsaid.push(message), () => around.now(), lastId);
    this.credentials = new Credentials(query, tokens, around);
    this.status = { phase: 'connecting', since: around.now() };
  }

  /** The id of the last event: what goes on after it. */
  get lastId(): string {
    return this.hearing.lastId;
  }

  /** Takes over a key of a state topic that was heard elsewhere. */
  known(topic: string, key: string): this {
    this.hearing.known(topic, key);
    return this;
  }

  /** Starts the first attempt. */
  open(): this {
    this.say({ type: 'status', status: this.status });
    void this.run();
    return this;
  }

  retryNow(): void {
    if (this.retryTimer !== undefined) void this.run();
  }

  wake(): void {
    if (this.retryTimer !== undefined && !this.named) void this.run();
    else if (this.watchdog !== undefined) this.watch();
  }

  renew(token?: string): void {
    this.credentials.replace(token);
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
    this.watchdog = undefined;
    this.retryTimer = undefined;
    this.attempt?.abort();
    this.attempt = undefined;
  }

  /** Says it together with what was heard before. */
  private say(message: Message): void {
    this.unsaid.push(message);
    this.flush();
  }

  private flush(): void {
    if (this.unsaid.length === 0) return;
    const messages = this.unsaid;
    this.unsaid = [];
    this.sink(messages);
  }

  private enter(phase: Phase, more: Partial<Status> = {}): void {
    if (phase === this.status.phase && more.retryAt === this.status.retryAt && more.reason === this.status.reason) return;
    const since = phase === this.status.phase ? this.status.since : this.around.now();
    this.status = { phase, since, ...more };
    this.say({ type: 'status', status: this.status });
  }

  /** One attempt, from the request to the end of its stream. */
  private async run(): Promise<void> {
    this.stop();
    const attempt = new AbortController();
    this.attempt = attempt;
    this.hearing.goodbye = undefined;
    this.silent = false;
    this.liveAt = undefined;
    const url = address(this.query);
    try {
      const headers = await this.headers();
      if (this.attempt !== attempt) return;
      this.heard();
      this.watch();
      const cache = this.query.until === undefined ? 'no-store' : 'default'; // a closed range does not change
      const response = await this.around.fetch(url, { headers, cache, credentials: this.query.credentials, signal: attempt.signal });
      if (response.ok && (response.headers.get('Content-Type') ?? '').startsWith('text/event-stream')) await this.read(response, attempt);
      else await this.refused(response, url, attempt);
    } catch (error) {
      if (this.attempt === attempt) this.failed(error, url);
    }
  }

  private async headers(): Promise<Record<string, string>> {
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    const token = await this.credentials.show();
    if (this.lastId !== '') headers['Last-Event-ID'] = this.lastId;
    if (token !== undefined) headers['Authorization'] = `Bearer ${token}`;
    return headers;
  }

  /** Reads until the stream ends, and sees to what follows. */
  private async read(response: Response, attempt: AbortController): Promise<void> {
    const reader = response.body!.getReader();
    const parser = streamParser({
      event: (event) => {
        this.hearing.hear(event);
        // Hello is only a word: a pod that is full says it, too, and then goodbye.
        if (event.name !== 'hello' && this.hearing.goodbye === undefined) this.live();
      },
      retry: (ms) => this.backoff.retry(ms),
    });
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (this.attempt !== attempt) return;
        if (done) break;
        this.heard();
        parser.feed(value);
        this.flush();
      }
    } catch (error) {
      void reader.cancel().catch(() => {});
      throw error;
    }
    await this.ended(attempt);
  }

  private live(): void {
    this.liveAt ??= this.around.now();
    this.credentials.accepted();
    this.enter('live');
  }

  /** The stream has ended, with or without a goodbye. */
  private async ended(attempt: AbortController): Promise<void> {
    const { goodbye } = this.hearing;
    if (goodbye === undefined) return this.wait('ended', { code: 'ended', message: `${this.query.url} ended the stream without a goodbye; it is resumed` });
    const trouble: Trouble = { code: goodbye === 'overload' ? 'overload' : 'goodbye', message: `${this.query.url} said goodbye: ${goodbye}; it is resumed` };
    if (goodbye === 'expired') return this.renewed(attempt, goodbye, { code: 'unauthorized', message: 'the token has expired' });
    if (goodbye === 'end') return this.finish('closed', goodbye, { code: 'goodbye', message: `${this.query.url} has no more: the range that was asked for has ended` });
    this.backoff.name();
    this.wait(goodbye, trouble, true);
  }

  private async refused(response: Response, url: string, attempt: AbortController): Promise<void> {
    const { next, reason, trouble } = await refusal(response, url);
    if (this.attempt !== attempt) return;
    if (next === 'never') return this.finish('closed', reason, trouble);
    if (next === 'renew') return this.renewed(attempt, reason, trouble);
    const after = retryAfterMs(response.headers.get('Retry-After'), this.around.now());
    if (after !== undefined) this.backoff.after(after);
    this.wait(reason, trouble, after !== undefined);
  }

  /** What was accepted before is not any more: renews it, or ends in `expired`. */
  private async renewed(attempt: AbortController, reason: string, why: Trouble): Promise<void> {
    clearTimeout(this.watchdog);
    if (this.status.phase === 'live') this.enter('reconnecting', { reason });
    const result = await this.credentials.renew(why, attempt.signal);
    if (this.attempt !== attempt) return;
    if (result.go === 'nowhere') return this.finish('expired', reason, result.trouble);
    if (result.go === 'on') this.backoff.name(result.ms);
    else if (result.ms !== undefined) this.backoff.after(result.ms);
    this.wait(reason, result.go === 'on' ? why : result.trouble, result.ms !== undefined && result.ms > 0);
  }

  private failed(error: unknown, url: string): void {
    const trouble = troubleOf(error, url);
    if (trouble.code === 'version' || trouble.code === 'too_large') return this.finish('closed', trouble.code, trouble);
    if (this.silent) return this.wait('silent', { code: 'silent', message: `${this.query.url} was silent for ${SILENT_HEARTBEATS} heartbeats; the stream is resumed on a new connection` });
    this.wait(error instanceof Error ? error.message : String(error), trouble);
  }

  private finish(phase: 'expired' | 'closed', reason: string, error: Trouble): void {
    this.stop();
    this.enter(phase, { reason, error });
  }

  private wait(reason: string, error: Trouble, named = false): void {
    this.stop();
    if (this.liveAt !== undefined && this.around.now() - this.liveAt >= GOOD_MS) this.backoff.succeeded();
    const delay = this.backoff.next();
    // Before the first event there is nothing to reconnect to: the page goes on saying "connecting".
    const phase = this.status.phase === 'connecting' ? 'connecting' : 'reconnecting';
    this.named = named;
    this.retryTimer = setTimeout(() => void this.run(), delay); // before anybody is told, who may close the stream
    this.enter(phase, { retryAt: this.around.now() + delay, reason, error });
  }

  private heard(): void {
    this.heardAt = this.around.now();
  }

  /**
   * Looks how long ago something was heard, and looks again later. It goes by
   * the wall clock and looks often, as the clock behind timers stands still while
   * a machine sleeps. Nothing heard for too long: a sleeping laptop, a dead
   * proxy, a stalled pod.
   */
  private watch(): void {
    clearTimeout(this.watchdog);
    const bound = this.hearing.heartbeatMs * SILENT_HEARTBEATS;
    if (this.around.now() < this.heardAt) this.heard(); // the wall clock was set back
    const left = this.heardAt + bound - this.around.now();
    if (left > 0) {
      this.watchdog = setTimeout(() => this.watch(), Math.min(left, this.hearing.heartbeatMs / 2));
      return;
    }
    this.watchdog = undefined;
    this.silent = true;
    if (this.status.phase === 'live') this.enter('stale');
    this.attempt?.abort();
  }
}
