import { Connection } from './connection.ts';
import { entryOf, type Entry } from './entry.ts';
import type { Trouble } from './errors.ts';
import { queryOf, tokensOf, type Options } from './options.ts';
import type { Gap, Message, Query, RecordMessage, Source, Status, Tokens } from './protocol.ts';
import { Queue } from './queue.ts';
import { joinShared } from './shared.ts';
import type { LogEntry, Off, Stream } from './stream.ts';

/** What `log` queues unless told otherwise. */
const LOG_LIMIT = 1_024;

type Call = (value: never, key: string, entry?: Entry) => void;

/** The main thread's side of a stream. */
export class Reader implements Stream {
  status: Status = { phase: 'connecting', since: Date.now() };
  clockOffset: number | undefined;
  private readonly query: Query;
  private readonly states = new Map<string, Map<string, unknown>>();
  private readonly calls = new Map<string, Set<Call>>();
  private readonly queues = new Set<Queue<Entry>>();
  private source: Source;
  private closed = false;
  private readonly back = () => {
    if (typeof document === 'undefined' || document.visibilityState === 'visible') this.source.wake();
  };

  constructor(options: Options, module: string) {
    this.query = queryOf(options, module);
    const tokens = tokensOf(options.token);
    this.source = this.open(options, tokens, module);
    globalThis.addEventListener?.('online', this.back);
    if (typeof document !== 'undefined') document.addEventListener('visibilitychange', this.back);
    options.signal?.addEventListener('abort', () => this.close(), { once: true });
    if (options.signal?.aborted) this.close();
  }

  /** Shares a connection where it may and can, and otherwise keeps one of its own. */
  private open(options: Options, tokens: Tokens | undefined, module: string): Source {
    const sink = (messages: readonly Message[]) => this.hear(messages);
    const alone = () => new Connection(this.query, sink, { tokens }).open();
    const share = options.share ?? options.token === undefined;
    if (share === false || (share === true && options.token !== undefined)) return alone();
    const failed = () => {
      if (!this.closed) this.source = alone();
    };
    const joining = { module: options.worker ? new URL(options.worker, module).href : module, query: this.query, as: share === true ? '' : share, tokens, sink };
    return joinShared(joining, failed) ?? alone();
  }

  state<T>(topic: string): ReadonlyMap<string, T> {
    return this.topic(topic) as Map<string, T>;
  }

  onState<T>(topic: string, call: (value: T | undefined, key: string) => void): Off {
    const off = this.on(`state ${topic}`, call as Call);
    for (const [key, value] of this.topic(topic)) this.guarded(call as Call, value, key);
    return off;
  }

  onLog<T>(topic: string, call: (value: T, key: string, entry: Entry<T>) => void): Off {
    return this.on(`log ${topic}`, call as Call);
  }

  log<T>(topic: string, { limit = LOG_LIMIT }: { readonly limit?: number } = {}): AsyncIterableIterator<LogEntry<T>> {
    const queue: Queue<Entry> = new Queue(limit, () => {
      off();
      this.queues.delete(queue);
    });
    const off = this.on(`log ${topic}`, (_value, _key, entry) => queue.push(entry!));
    if (this.closed) queue.end();
    else this.queues.add(queue);
    return queue as unknown as AsyncIterableIterator<LogEntry<T>>;
  }

  onStatus(call: (status: Status) => void): Off {
    const off = this.on('status', call as Call);
    this.guarded(call as Call, this.status);
    return off;
  }

  onGap(call: (gap: Gap) => void): Off {
    return this.on('gap', call as Call);
  }

  onError(call: (trouble: Trouble) => void): Off {
    return this.on('error', call as Call);
  }

  age(emittedAt: string): number | undefined {
    return this.clockOffset === undefined ? undefined : Date.now() + this.clockOffset - Date.parse(emittedAt);
  }

  retryNow(): void {
    this.source.retryNow();
  }

  renew(token?: string): void {
    this.source.renew(token);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    globalThis.removeEventListener?.('online', this.back);
    if (typeof document !== 'undefined') document.removeEventListener('visibilitychange', this.back);
    this.source.close();
    this.enter({ phase: 'closed', since: Date.now() });
    for (const queue of [...this.queues]) queue.end();
  }

  private topic(name: string): Map<string, unknown> {
    let map = this.states.get(name);
    if (map === undefined) this.states.set(name, (map = new Map()));
    return map;
  }

  private on(what: string, call: Call): Off {
    const calls = this.calls.get(what) ?? new Set();
    calls.add(call);
    this.calls.set(what, calls);
    return () => calls.delete(call);
  }

  private call(what: string, value: unknown, key = '', entry?: Entry): void {
    for (const call of this.calls.get(what) ?? []) this.guarded(call, value, key, entry);
  }

  /** One callback that throws must not keep the others from hearing. */
  private guarded(call: Call, value: unknown, key = '', entry?: Entry): void {
    try {
      call(value as never, key, entry);
    } catch (error) {
      if (typeof reportError === 'function') reportError(error);
      else console.error(error);
      const message = `a callback threw: ${error instanceof Error ? error.message : String(error)}`;
      for (const tell of this.calls.get('error') ?? []) if (tell !== call) tell({ code: 'listener', message } as never, '');
    }
  }

  private enter(status: Status): void {
    if (this.status.phase === 'closed' && status.phase === 'closed') return;
    this.status = status;
    this.call('status', status);
  }

  private hear(messages: readonly Message[]): void {
    for (const message of messages) if (!this.closed) this.take(message);
  }

  private take(message: Message): void {
    switch (message.type) {
      case 'status':
        return this.enter(message.status);
      case 'clock':
        this.clockOffset = message.offset;
        return;
      case 'gap':
        return this.call('gap', message.gap);
      case 'trouble':
        return this.call('error', message.trouble);
      case 'delete':
        if (this.topic(message.topic).delete(message.key)) this.call(`state ${message.topic}`, undefined, message.key);
        return;
      case 'record':
        this.record(message);
    }
  }

  private record(message: RecordMessage): void {
    const { topic, kind, key } = message;
    const what = `${kind} ${topic}`;
    if (kind === 'log' && !this.calls.get(what)?.size) return; // nobody reads it
    const entry = entryOf(message, this.query.envelope === true);
    if (kind === 'state') this.topic(topic).set(key, entry.value);
    this.call(what, entry.value, key, entry);
  }
}
