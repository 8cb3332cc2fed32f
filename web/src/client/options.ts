import type { Query, Tokens } from './protocol.ts';

/** What to connect to. */
export interface Options {
  /** Address of the events endpoint; /v1/events beside this module unless given. */
  readonly url?: string | URL;
  /** Names of topics, such as `metrics`; GET /v1/topics lists them. */
  readonly topics: readonly string[];
  /** Exact keys over all topics, such as `world` or `country/CA`; all that may be seen unless given. */
  readonly keys?: readonly string[];
  /** Where log topics begin, unless the stream is resumed: `-5m`, or a time. Without it the server sends the last few records. */
  readonly since?: string | number | Date;
  /** Key, time, partition and offset with each record; also what topics of plain text need. */
  readonly envelope?: boolean;
  /** The `v` of the records that are handed out, 1 unless given; others are told to `onError`. `any`: whatever they say. */
  readonly version?: number | 'any';
  /**
   * Sent as a bearer token. A callback is asked before the first attempt, and again (`renew` true) when
   * the server does not accept the token any more; undefined means: nobody is signed in.
   */
  readonly token?: string | ((renew: boolean) => string | undefined | Promise<string | undefined>);
  /** Ask the server for a session (a cookie) when it wants one: true for /v1/session beside `url`, or its address. */
  readonly session?: boolean | string | URL;
  /** `include`: send cookies to a server of another origin, too. */
  readonly credentials?: 'same-origin' | 'include';
  /**
   * One connection for all tabs of this origin that ask for the same, in a worker. True unless there is a
   * token, as tabs could belong to different people; a text is the name of those who share it, such as a user's id.
   */
  readonly share?: boolean | string;
  /** Address of this module's file for the worker, where a bundler has moved the code; it must be of the page's origin. */
  readonly worker?: string | URL;
  /** Closes the stream. */
  readonly signal?: AbortSignal;
}

/** The most keys that one request may name; the server's own bound. */
const MAX_KEYS_NAMED = 256;

/** Checks options and returns what is asked of the server. Throws a TypeError that names what is wrong. @internal */
export function queryOf(options: Omit<Options, 'since'> & { since?: Options['since']; until?: Options['since'] }, module: string): Query {
  const { topics, keys, version = 1, session } = options;
  const wrong = (what: string): never => {
    throw new TypeError(`livemap: ${what}`);
  };
  if (!Array.isArray(topics) || topics.length === 0) wrong('topics must name at least one topic, such as ["metrics"]; GET /v1/topics lists them');
  for (const topic of topics) if (typeof topic !== 'string' || topic === '' || topic.includes(',')) wrong(`topics: ${JSON.stringify(topic)} is not the name of a topic`);
  if (keys !== undefined && (!Array.isArray(keys) || keys.length === 0)) wrong('keys must name at least one key; leave it out for all');
  if (keys !== undefined && keys.length > MAX_KEYS_NAMED) wrong(`keys names ${keys.length}; the server takes ${MAX_KEYS_NAMED}: leave it out for all`);
  if (version !== 'any' && !(Number.isInteger(version) && version > 0)) wrong(`version must be a whole number, or "any", not ${JSON.stringify(version)}`);
  const url = addressOf('url', options.url ?? 'v1/events', module);
  if (!/^https?:/.test(url)) wrong(`url: name the address of the server's events, such as "https://map.example/v1/events"; ${url} is none`);
  const since = timeOf('since', options.since);
  const until = timeOf('until', options.until);
  return {
    url,
    topics: [...topics],
    version: version === 'any' ? 0 : version,
    credentials: options.credentials ?? 'same-origin',
    ...(keys !== undefined && { keys: [...keys] }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
    ...(options.envelope && { envelope: true }),
    ...(session && { session: addressOf('session', session === true ? 'session' : session, url) }),
  };
}

/** The token, or its callback, as one callback. @internal */
export function tokensOf(token: Options['token']): Tokens | undefined {
  if (token === undefined) return undefined;
  if (typeof token === 'function') return async (renew) => token(renew);
  // A token that is not accepted does not get better by being shown again.
  return (renew) => Promise.resolve(renew ? undefined : token);
}

function addressOf(name: string, address: string | URL, base: string): string {
  try {
    return new URL(address, base).href;
  } catch {
    throw new TypeError(`livemap: ${name}: ${JSON.stringify(String(address))} is not an address`);
  }
}

/** A time as the server reads it. */
function timeOf(name: string, time: Options['since']): string | undefined {
  if (time === undefined) return undefined;
  if (typeof time === 'string' && /^-\d/.test(time)) return time;
  const ms = time instanceof Date ? time.getTime() : typeof time === 'number' ? time : Date.parse(time);
  if (Number.isNaN(ms)) throw new TypeError(`livemap: ${name}: ${JSON.stringify(time)} is neither a time (RFC 3339, milliseconds since 1970, Date) nor a duration such as "-5m"`);
  return new Date(ms).toISOString();
}
