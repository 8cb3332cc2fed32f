import { retryAfterMs } from './backoff.ts';
import { LivemapError, troubleOf, type Trouble } from './errors.ts';
import type { Query, Tokens } from './protocol.ts';
import { refusal } from './refusal.ts';
import type { Surroundings } from './surroundings.ts';

/** Renewed so many times in a row without a stream, then only when somebody asks for it. */
export const RENEWALS = 3;

/** Renewals are this far apart at least, in milliseconds. */
export const APART_MS = 5_000;

/** A token callback may take this long, in milliseconds. */
export const TOKEN_MS = 30_000;

/**
 * What came of a renewal: go on; wait, as the trouble will pass (`ms`: as long as the server said); or
 * nothing can be done without a person.
 */
export type Renewal =
  | { readonly go: 'on'; readonly ms: number }
  | { readonly go: 'later'; readonly trouble: Trouble; readonly ms?: number }
  | { readonly go: 'nowhere'; readonly trouble: Trouble };

/** Nothing but another token helps: why, in the words of the server, and what to do. */
const signedOut = (why: Trouble): Renewal => ({ go: 'nowhere', trouble: { code: 'unauthorized', message: `${why.message}: sign in, then call renew()` } });

/** Keeps the token of a stream, and gets another token or a session when it does not count any more. */
export class Credentials {
  private token: string | undefined;
  private renewals = 0;
  private last = -Infinity;

  constructor(
    private readonly query: Query,
    private readonly tokens: Tokens | undefined,
    private readonly around: Surroundings,
  ) {}

  /** The token to show, asked for where there is none yet. Throws what the callback throws, as a LivemapError. */
  async show(): Promise<string | undefined> {
    if (this.tokens && this.token === undefined) this.token = await this.ask(this.tokens, false);
    return this.token;
  }

  /** The page has another one. */
  replace(token: string | undefined): void {
    if (token !== undefined) this.token = token;
    this.renewals = 0;
  }

  /** The stream is live: the next renewal is the first. */
  accepted(): void {
    this.renewals = 0;
  }

  /** Renews after `why`, the trouble of being refused. */
  async renew(why: Trouble, signal: AbortSignal): Promise<Renewal> {
    if (this.tokens === undefined && this.query.session === undefined) return signedOut(why);
    if (++this.renewals > RENEWALS)
      return { go: 'nowhere', trouble: { code: 'unauthorized', message: `${RENEWALS} renewals in a row did not open the stream; the last answer: ${why.message}` } };
    const early = this.last + APART_MS - this.around.now();
    this.last = this.around.now() + Math.max(0, early);
    try {
      if (this.tokens) this.token = await this.ask(this.tokens, true);
      else return await this.session(this.query.session!, signal, early);
      if (this.token === undefined) return signedOut(why);
      return { go: 'on', ms: Math.max(0, early) };
    } catch (error) {
      this.renewals--; // a try that came to nothing is not the server's no
      return { go: 'later', trouble: troubleOf(error, 'renewing the token') };
    }
  }

  private async ask(tokens: Tokens, renew: boolean): Promise<string | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${TOKEN_MS / 1_000} s`)), TOKEN_MS);
    });
    try {
      return (await Promise.race([tokens(renew), late])) || undefined;
    } catch (error) {
      throw new LivemapError('token', `the token callback failed (${error instanceof Error ? error.message : String(error)}); it is called again later`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks the server itself for a session, which comes as a cookie. */
  private async session(url: string, signal: AbortSignal, early: number): Promise<Renewal> {
    const response = await this.around.fetch(url, { method: 'POST', credentials: this.query.credentials, cache: 'no-store', signal });
    if (response.ok) return { go: 'on', ms: Math.max(0, early) };
    const { trouble } = await refusal(response, url);
    if (response.status === 429 || response.status >= 500) {
      this.renewals--;
      const ms = retryAfterMs(response.headers.get('Retry-After'), this.around.now());
      return { go: 'later', trouble, ...(ms !== undefined && { ms }) };
    }
    const none = response.status === 404 || response.status === 405;
    const hint = none ? 'this server gives no sessions (livemap serve --session-topics …): sign in another way, then call renew()' : trouble.message;
    return { go: 'nowhere', trouble: { code: 'unauthorized', message: `${url}: ${hint}` } };
  }
}
