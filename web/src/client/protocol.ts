/** What a topic owes its readers: every record, or the latest of each key. */
export type Kind = 'log' | 'state';

/**
 * The states of a stream.
 * - connecting: nothing has been received yet
 * - live: events arrive
 * - stale: silent for more than 2.5 heartbeats; the connection is being replaced
 * - reconnecting: waiting for the next attempt (`retryAt`), or in it
 * - expired: the token is not accepted any more; nothing is tried until `renew`
 * - closed: by `close`, or refused by the server for good
 */
export type Phase = 'connecting' | 'live' | 'stale' | 'reconnecting' | 'expired' | 'closed';

/** The state of a stream. Times are milliseconds since 1970 by this machine's clock. */
export interface Status {
  readonly phase: Phase;
  /** When the phase began. */
  readonly since: number;
  /** When the next attempt starts; only while reconnecting. */
  readonly retryAt?: number;
  /** Why: a goodbye reason, a problem's title, or the browser's network error. */
  readonly reason?: string;
}

/** The records of a log topic from `from` up to `to` are missing. */
export interface Gap {
  readonly topic: string;
  readonly partition?: number;
  readonly reason: string;
  readonly from?: number;
  readonly to?: number;
  readonly at_most?: number;
}

/** What a stream tells its reader. Plain data: it also travels between a worker and its tabs. */
export type Message =
  | { readonly type: 'status'; readonly status: Status }
  | { readonly type: 'clock'; readonly offset: number }
  | { readonly type: 'record'; readonly topic: string; readonly kind: Kind; readonly key: string; readonly value: unknown; readonly id: string }
  | { readonly type: 'delete'; readonly topic: string; readonly key: string }
  | { readonly type: 'gap'; readonly gap: Gap };

/** Where messages come from: a connection in this page, or one in a worker. */
export interface Source {
  /** Tries again now instead of at `retryAt`. */
  retryNow(): void;
  /** Goes on after `expired` or `closed`. */
  renew(): void;
  close(): void;
}

/** What is asked of the server. Plain data. */
export interface Query {
  /** Absolute address of the events endpoint. */
  readonly url: string;
  readonly topics: readonly string[];
  /** Exact keys over all topics; left out: all that the token permits. */
  readonly keys?: readonly string[];
  readonly token?: string;
}

/** Returns the address to ask, `,` and `%` inside a key escaped as the server wants them. */
export function address(query: Query): string {
  const url = new URL(query.url);
  const escape = (key: string) => key.replaceAll('%', '%25').replaceAll(',', '%2C');
  url.searchParams.set('topics', query.topics.join(','));
  if (query.keys !== undefined) url.searchParams.set('keys', query.keys.map(escape).join(','));
  // Commas and slashes may stand bare in a query (RFC 3986, 3.4) and read better in logs.
  url.search = url.search.replaceAll('%2C', ',').replaceAll('%2F', '/');
  return url.href;
}
