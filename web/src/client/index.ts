/**
 * The client of a livemap server: a typed module without dependencies on the
 * page, served at /livemap.js. Start at `connect`.
 */
import { Connection } from './connection.ts';
import type { Gap, Message, Query, Source, Status } from './protocol.ts';
import { joinShared, serveShared } from './shared.ts';

export type { Gap, Kind, Phase, Status } from './protocol.ts';
export type * from './records.ts';

/** What to connect to. */
export interface Options {
  /** Address of the events endpoint; /v1/events beside this module unless given. */
  readonly url?: string;
  readonly topics: readonly string[];
  /** Exact keys over all topics, such as `world` or `country/CA`; all unless given. */
  readonly keys?: readonly string[];
  /** Sent as a bearer token. */
  readonly token?: string;
  /** One connection for all tabs of the origin, where the browser can; true unless given. */
  readonly share?: boolean;
}

type Off = () => void;

/** A stream. All callbacks run on the thread that called `connect`, in the order of the events. */
export interface Stream {
  readonly status: Status;
  /** How far the server's clock is ahead of ours, in milliseconds; undefined before hello. */
  readonly clockOffset: number | undefined;
  /** The latest record of each key of a state topic. */
  state<T>(topic: string): ReadonlyMap<string, T>;
  /** Calls back with each new value of a state topic, starting with those known; undefined: deleted. */
  onState<T>(topic: string, call: (value: T | undefined, key: string) => void): Off;
  /** Calls back with each record of a log topic. */
  onLog<T>(topic: string, call: (value: T, key: string) => void): Off;
  /** Calls back with the status, and whenever it changes. */
  onStatus(call: (status: Status) => void): Off;
  /** Calls back when records of a log topic were missed. */
  onGap(call: (gap: Gap) => void): Off;
  /** Milliseconds since the server wrote `emittedAt`; undefined before hello. */
  age(emittedAt: string): number | undefined;
  retryNow(): void;
  renew(): void;
  close(): void;
}

/** Opens a stream. It stays open through losses until `close`. */
export function connect(options: Options): Stream {
  return new Reader(options);
}

class Reader implements Stream {
  status: Status = { phase: 'connecting', since: Date.now() };
  clockOffset: number | undefined;
  private readonly states = new Map<string, Map<string, unknown>>();
  private readonly calls = new Map<string, Set<(value: never, key: string) => void>>();
  private source: Source;
  /** The network, or the person, is back: do not sit out a long wait. */
  private readonly back = () => {
    if (document.visibilityState === 'visible') this.retryNow();
  };

  constructor(options: Options) {
    const query: Query = {
      url: new URL(options.url ?? 'v1/events', import.meta.url).href,
      topics: options.topics,
      ...(options.keys !== undefined && { keys: options.keys }),
      ...(options.token !== undefined && { token: options.token }),
    };
    const hear = (message: Message) => this.hear(message);
    // A token is not shared: the worker's name would carry it.
    const share = options.share !== false && options.token === undefined;
    const alone = () => new Connection(query, hear).open();
    const failed = () => {
      this.source.close();
      this.source = alone();
    };
    this.source = (share ? joinShared(import.meta.url, query, hear, failed) : undefined) ?? alone();
    addEventListener('online', this.back);
    document.addEventListener('visibilitychange', this.back);
  }

  state<T>(topic: string): ReadonlyMap<string, T> {
    return this.topic(topic) as Map<string, T>;
  }

  onState<T>(topic: string, call: (value: T | undefined, key: string) => void): Off {
    for (const [key, value] of this.topic(topic)) call(value as T, key);
    return this.on(`state ${topic}`, call as never);
  }

  onLog<T>(topic: string, call: (value: T, key: string) => void): Off {
    return this.on(`log ${topic}`, call as never);
  }

  onStatus(call: (status: Status) => void): Off {
    call(this.status);
    return this.on('status', call as never);
  }

  onGap(call: (gap: Gap) => void): Off {
    return this.on('gap', call as never);
  }

  age(emittedAt: string): number | undefined {
    return this.clockOffset === undefined ? undefined : Date.now() + this.clockOffset - Date.parse(emittedAt);
  }

  retryNow(): void {
    this.source.retryNow();
  }

  renew(): void {
    this.source.renew();
  }

  close(): void {
    removeEventListener('online', this.back);
    document.removeEventListener('visibilitychange', this.back);
    this.source.close();
  }

  private topic(name: string): Map<string, unknown> {
    let map = this.states.get(name);
    if (map === undefined) this.states.set(name, (map = new Map()));
    return map;
  }

  private on(what: string, call: (value: never, key: string) => void): Off {
    const calls = this.calls.get(what) ?? new Set();
    calls.add(call);
    this.calls.set(what, calls);
    return () => calls.delete(call);
  }

  private call(what: string, value: unknown, key = ''): void {
    for (const call of this.calls.get(what) ?? []) call(value as never, key);
  }

  private hear(message: Message): void {
    switch (message.type) {
      case 'status':
        this.status = message.status;
        this.call('status', message.status);
        break;
      case 'clock':
        this.clockOffset = message.offset;
        break;
      case 'gap':
        this.call('gap', message.gap);
        break;
      case 'delete':
        this.topic(message.topic).delete(message.key);
        this.call(`state ${message.topic}`, undefined, message.key);
        break;
      case 'record':
        if (message.kind === 'state') this.topic(message.topic).set(message.key, message.value);
        this.call(`${message.kind} ${message.topic}`, message.value, message.key);
    }
  }
}

serveShared();
