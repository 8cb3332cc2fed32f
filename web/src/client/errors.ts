/**
 * What can go wrong, as a closed set.
 * - network: the request failed or the stream broke
 * - silent: nothing was heard for 2.5 heartbeats
 * - ended, goodbye: the stream ended, without a word or with one
 * - overload: the server is full (429, 503)
 * - server: any other error of the server
 * - not_a_stream: something answered that is no livemap server
 * - unauthorized: no token, no session, or one that does not count any more
 * - forbidden: the token does not permit what was asked for
 * - refused: the request itself is wrong
 * - version: a record, or the server, speaks a version that this module does not
 * - unreadable: an event is not what it should be
 * - too_large: an event, a number of keys or a range is beyond its bound
 * - token: the token callback failed
 * - listener: a callback of the page threw
 */
export type TroubleCode =
  | 'network' | 'silent' | 'ended' | 'goodbye' | 'overload' | 'server' | 'not_a_stream' | 'unauthorized' | 'forbidden'
  | 'refused' | 'version' | 'unreadable' | 'too_large' | 'token' | 'listener';

/** What went wrong, for a program (`code`) and for a person (`message`: what, to which thing, what to do). Plain data. */
export interface Trouble {
  readonly code: TroubleCode;
  readonly message: string;
}

/** A trouble that is thrown. */
export class LivemapError extends Error implements Trouble {
  override readonly name = 'LivemapError';

  constructor(
    readonly code: TroubleCode,
    message: string,
  ) {
    super(message);
  }

  /** The same as plain data, which travels between threads. */
  plain(): Trouble {
    return { code: this.code, message: this.message };
  }
}

/** Any thrown thing as a trouble: what the browser throws while it fetches and reads is the network's. @internal */
export function troubleOf(error: unknown, what: string): Trouble {
  if (error instanceof LivemapError) return error.plain();
  return { code: 'network', message: `${what}: ${error instanceof Error ? error.message : String(error)}` };
}
