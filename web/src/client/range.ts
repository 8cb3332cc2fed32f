import { Connection } from './connection.ts';
import { entryOf, type Entry } from './entry.ts';
import { LivemapError } from './errors.ts';
import { queryOf, tokensOf, type Options } from './options.ts';
import type { Gap, Message, Status } from './protocol.ts';
import { browser, type Surroundings } from './surroundings.ts';

/** A piece of the past. */
export interface RangeOptions extends Pick<Options, 'url' | 'topics' | 'keys' | 'envelope' | 'version' | 'token' | 'session' | 'credentials' | 'signal'> {
  /** Its beginning: `-5m`, or a time. */
  readonly since: NonNullable<Options['since']>;
  /** Its end, which does not belong to it. */
  readonly until: NonNullable<Options['since']>;
  /** The most records; beyond, the range fails with `too_large`. RANGE_LIMIT unless given. */
  readonly limit?: number;
}

/** What a range holds, in the order of the stream. */
export interface Range<T = unknown> {
  readonly records: readonly Entry<T>[];
  /** What of it is not kept any more. */
  readonly gaps: readonly Gap[];
}

/** The most records of a range unless told otherwise. */
export const RANGE_LIMIT = 50_000;

/** The most text of a range, in characters. */
const MAX_CHARS = 64 << 20;

/** A range is given up after so many attempts that brought nothing new. */
const TRIES = 5;

/** Fetches a range; `around` is for tests. @internal */
export function fetchRange<T>(options: RangeOptions, module: string, around: Surroundings = browser): Promise<Range<T>> {
  const query = queryOf(options, module);
  for (const name of ['since', 'until'] as const) if (query[name] === undefined) throw new TypeError(`livemap: a range needs ${name}`);
  const { limit = RANGE_LIMIT, signal } = options;
  return new Promise<Range<T>>((resolve, reject) => {
    const records: Entry<T>[] = [];
    const gaps: Gap[] = [];
    let chars = 0;
    let tries = 0;
    const end = (settle: () => void) => {
      signal?.removeEventListener('abort', abort);
      connection.close();
      settle();
    };
    const fail = (error: unknown) => end(() => reject(error));
    const abort = () => fail(signal!.reason);
    const status = ({ phase, reason, error, retryAt }: Status) => {
      if (phase === 'closed' && reason === 'end') return end(() => resolve({ records, gaps }));
      const over = phase === 'expired' || phase === 'closed' || (retryAt !== undefined && ++tries >= TRIES);
      if (over && error) fail(new LivemapError(error.code, error.message));
    };
    const take = (message: Message) => {
      if (message.type === 'status') status(message.status);
      else if (message.type === 'gap') gaps.push(message.gap);
      else if (message.type === 'record') {
        tries = 0;
        chars += message.text.length;
        if (records.length >= limit || chars > MAX_CHARS)
          return fail(new LivemapError('too_large', `the range from ${query.since} to ${query.until} has more than ${records.length} records: ask for shorter pieces, or raise limit`));
        records.push(entryOf(message, query.envelope === true) as Entry<T>);
      }
    };
    const sink = (messages: readonly Message[]) => messages.forEach(take);
    const connection = new Connection(query, sink, { tokens: tokensOf(options.token), around });
    if (signal?.aborted) return abort();
    signal?.addEventListener('abort', abort);
    connection.open();
  });
}
