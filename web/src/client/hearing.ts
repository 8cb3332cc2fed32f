import { LivemapError } from './errors.ts';
import type { ServerEvent } from './parser.ts';
import type { Gap, Kind, Message, Query } from './protocol.ts';

/** The version of hello that this module speaks. */
const PROTOCOL_VERSION = 1;

/** Assumed until hello names the heartbeat. */
const FIRST_HEARTBEAT_MS = 10_000;

/** A server that asks for longer heartbeats than this is not believed: the watchdog would sleep. */
const MAX_HEARTBEAT_MS = 5 * 60_000;

/** The most keys of state topics that a stream may have; beyond, it is closed with the advice to name keys. */
export const MAX_KEYS = 100_000;

/**
 * Turns events into messages, over all connections of one stream: it knows the
 * last id, the kinds of the topics, the server's clock and the living keys.
 */
export class Hearing {
  heartbeatMs = FIRST_HEARTBEAT_MS;
  /** The goodbye of the present connection. */
  goodbye: string | undefined;
  private kinds: ReadonlyMap<string, Kind> = new Map();
  private offset: number | undefined;
  private readonly keys = new Map<string, Set<string>>();
  /** Keys of topics that begin anew, until they are sent again. */
  private readonly doubtful = new Map<string, Set<string>>();

  constructor(
    private readonly query: Query,
    private readonly say: (message: Message) => void,
    private readonly now: () => number,
    /** What to resume with. */
    public lastId = '',
  ) {}

  /** Takes over the living keys of a stream that was heard elsewhere. */
  known(topic: string, key: string): void {
    this.keysOf(topic).add(key);
  }

  /** Takes one event. Throws a LivemapError where going on makes no sense. */
  hear(event: ServerEvent): void {
    if (event.id !== undefined) this.lastId = event.id;
    switch (event.name) {
      case 'hello':
      case 'heartbeat':
      case 'goodbye':
      case 'gap':
      case 'delete':
        this.control(event.name, object(event.data));
        break;
      default:
        this.record(event);
    }
  }

  private control(name: string, data: Record<string, unknown> | undefined): void {
    if (data === undefined) return this.unreadable(name);
    switch (name) {
      case 'hello':
        return this.hello(data);
      case 'heartbeat':
        this.clock(data['now']);
        return this.settle();
      case 'goodbye':
        this.goodbye = text(data['reason']) ?? 'goodbye';
        return;
      case 'gap':
        return this.gap(data);
      default:
        return this.delete(text(data['topic']) ?? '', text(data['key']) ?? '');
    }
  }

  private hello(data: Record<string, unknown>): void {
    const { v, heartbeat_ms: beat } = data;
    if (typeof v === 'number' && v !== PROTOCOL_VERSION)
      throw new LivemapError('version', `the server speaks version ${v} of the stream and this module version ${PROTOCOL_VERSION}: load the module from that server (/livemap.js), or update the package`);
    if (typeof beat === 'number' && beat > 0) this.heartbeatMs = Math.min(beat, MAX_HEARTBEAT_MS);
    this.kinds = kindsOf(data['topics']);
    this.offset = undefined;
    this.doubtful.clear();
    this.clock(data['now']);
  }

  private record({ name: topic, data, id }: ServerEvent): void {
    const kind = this.kinds.get(topic);
    if (kind === undefined) return; // hello did not name it: an event of a newer server
    const key = this.keyOf(topic, data);
    if (key === undefined) return;
    if (kind === 'state') this.keep(topic, key);
    this.say({ type: 'record', topic, kind, key, text: data, id: id ?? this.lastId });
  }

  /** The key of a record that may be handed out. */
  private keyOf(topic: string, data: string): string | undefined {
    const whole = object(data);
    const value = this.query.envelope ? whole?.['value'] : whole;
    if (value === undefined) {
      this.unreadable(topic);
      return undefined;
    }
    const version = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)['v'] : undefined;
    if (this.query.version !== 0 && typeof version === 'number' && version !== this.query.version) {
      this.say({ type: 'trouble', trouble: { code: 'version', message: `a record of ${topic} has version ${version} and was left out; this page reads version ${this.query.version}: update it` } });
      return undefined;
    }
    return text(whole?.[this.query.envelope ? 'key' : 'scope']) ?? '';
  }

  private unreadable(what: string): void {
    const trouble = { code: 'unreadable', message: `an event ${what} is not a JSON object and was left out; ask with envelope: true for topics of plain text` } as const;
    this.say({ type: 'trouble', trouble });
  }

  private gap(data: Record<string, unknown>): void {
    const topic = text(data['topic']) ?? '';
    // A state topic that begins anew sends every key that still lives; a heartbeat says that it has.
    if (this.kinds.get(topic) === 'state') this.doubtful.set(topic, new Set(this.keys.get(topic)));
    else this.say({ type: 'gap', gap: { ...data, topic, reason: text(data['reason']) ?? 'unknown' } as Gap });
  }

  private settle(): void {
    for (const [topic, keys] of this.doubtful) for (const key of keys) this.delete(topic, key);
    this.doubtful.clear();
  }

  private delete(topic: string, key: string): void {
    this.keys.get(topic)?.delete(key);
    this.say({ type: 'delete', topic, key });
  }

  private keep(topic: string, key: string): void {
    const keys = this.keysOf(topic);
    keys.add(key);
    this.doubtful.get(topic)?.delete(key);
    if (keys.size > MAX_KEYS) throw new LivemapError('too_large', `the topic ${topic} has more than ${MAX_KEYS} keys: name those that the page shows (keys)`);
  }

  private keysOf(topic: string): Set<string> {
    let keys = this.keys.get(topic);
    if (keys === undefined) this.keys.set(topic, (keys = new Set()));
    return keys;
  }

  /**
   * Learns how far the server's clock is ahead of ours. What arrives is older
   * than when it was written, so the largest difference seen is the nearest.
   */
  private clock(now: unknown): void {
    const server = typeof now === 'string' ? Date.parse(now) : NaN;
    const offset = server - this.now();
    if (Number.isNaN(offset) || (this.offset !== undefined && offset <= this.offset)) return;
    this.offset = offset;
    this.say({ type: 'clock', offset });
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

/** The object in an event's data; undefined for anything else. */
function object(data: string): Record<string, unknown> | undefined {
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
