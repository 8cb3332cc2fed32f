import type { Trouble } from './errors.ts';

/** What a topic owes its readers: every record, or the latest of each key. */
export type Kind = 'log' | 'state';

/**
 * The states of a stream.
 * - connecting: nothing has been received yet
 * - live: events arrive
 * - stale: silent for more than 2.5 heartbeats; the connection is being replaced
 * - reconnecting: waiting for the next attempt (`retryAt`), or in it
 * - expired: token or session is not accepted and could not be renewed; nothing is tried until `renew`
 * - closed: by `close`, or refused by the server for good
 */
export type Phase = 'connecting' | 'live' | 'stale' | 'reconnecting' | 'expired' | 'closed';

/** The state of a stream. Times are milliseconds since 1970 by this machine's clock. Plain data. */
export interface Status {
  readonly phase: Phase;
  /** When the phase began. */
  readonly since: number;
  /** When the next attempt starts; only while waiting for it. */
  readonly retryAt?: number;
  /** Why, in a word or two: the reason of a goodbye, the title of a refusal, `silent`, or the network's error. */
  readonly reason?: string;
  /** Why, with what to do about it. */
  readonly error?: Trouble;
}

/** The records of a log topic from `from` up to `to` are missing, `at_most` of them. */
export interface Gap {
  readonly topic: string;
  readonly partition?: number;
  /** docs/format/events.md; `slow` also where this page itself was too slow or frozen. */
  readonly reason: string;
  readonly from?: number;
  readonly to?: number;
  readonly at_most?: number;
}

/** A record as it travels: its JSON, which is cheaper to send to another thread than an object and is read only where wanted. @internal */
export interface RecordMessage {
  readonly type: 'record';
  readonly topic: string;
  readonly kind: Kind;
  readonly key: string;
  /** The event's data. */
  readonly text: string;
  /** Its id: what to resume with after it. */
  readonly id: string;
}

/** What a stream tells its reader. Plain data: it also travels between a worker and its tabs. @internal */
export type Message =
  | { readonly type: 'status'; readonly status: Status }
  | { readonly type: 'clock'; readonly offset: number }
  | RecordMessage
  | { readonly type: 'delete'; readonly topic: string; readonly key: string }
  | { readonly type: 'gap'; readonly gap: Gap }
  | { readonly type: 'trouble'; readonly trouble: Trouble };

/** Takes what was heard together, in order. @internal */
export type Sink = (messages: readonly Message[]) => void;

/** Where messages come from: a connection in this page, or one in a worker. @internal */
export interface Source {
  /** Tries again now instead of at `retryAt`. */
  retryNow(): void;
  /** Goes on after `expired` or `closed`, with another token where one is given. */
  renew(token?: string): void;
  /** The machine, the network or the person may be back: looks whether the connection is still one. */
  wake(): void;
  close(): void;
}

/** What is asked of the server. Plain data. @internal */
export interface Query {
  /** Absolute address of the events endpoint. */
  readonly url: string;
  readonly topics: readonly string[];
  /** Exact keys over all topics; left out: all that the token permits. */
  readonly keys?: readonly string[];
  /** Where log topics begin: `-5m`, or a time. */
  readonly since?: string;
  readonly until?: string;
  /** Records with key, partition, offset and time around them. */
  readonly envelope?: boolean;
  /** The `v` of records that are handed out; 0: whatever they say. */
  readonly version: number;
  /** Where sessions are to be had. */
  readonly session?: string;
  /** Cookies also to another origin. */
  readonly credentials: 'same-origin' | 'include';
}

/** Asks for a token: undefined where nobody is signed in. `renew`: the one before is not accepted any more. @internal */
export type Tokens = (renew: boolean) => Promise<string | undefined>;

/** Returns the address to ask, `,` and `%` inside a key escaped as the server wants them. @internal */
export function address(query: Query): string {
  const url = new URL(query.url);
  const escape = (key: string) => key.replaceAll('%', '%25').replaceAll(',', '%2C');
  const set = (name: string, value: string | undefined) => {
    if (value !== undefined) url.searchParams.set(name, value);
  };
  set('topics', query.topics.join(','));
  set('keys', query.keys?.map(escape).join(','));
  set('since', query.since);
  set('until', query.until);
  set('envelope', query.envelope ? '1' : undefined);
  // Commas and slashes may stand bare in a query (RFC 3986, 3.4) and read better in logs.
  url.search = url.search.replaceAll('%2C', ',').replaceAll('%2F', '/');
  return url.href;
}
