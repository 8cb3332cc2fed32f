import type { Stream } from '../client/index.ts';

/** Sessions are asked for this far apart at least, in milliseconds. */
const APART_MS = 5_000;

/** So many times in a row without a stream, then only when somebody asks for it. */
const TRIES = 3;

/** What a session is asked for with; another one in tests. */
export interface Around {
  fetch(url: string, init: RequestInit): Promise<{ readonly ok: boolean }>;
  now(): number;
  after(ms: number, call: () => void): void;
}

const browser: Around = {
  fetch: (url, init) => fetch(url, init),
  now: () => Date.now(),
  after: (ms, call) => void setTimeout(call, ms),
};

/**
 * Asks the page's server for a session (a cookie) whenever the stream may not go
 * on without one, and goes on. Where the server gives none the stream stays as it
 * is, `expired`.
 */
export function keepSession(stream: Stream, url: string, around: Around = browser): void {
  let last = -Infinity;
  let tries = 0;
  let waiting = false;
  const ask = async () => {
    waiting = false;
    if (stream.status.phase !== 'expired') return;
    last = around.now();
    tries++;
    try {
      const answer = await around.fetch(url, { method: 'POST', credentials: 'same-origin', cache: 'no-store' });
      if (answer.ok) stream.renew();
    } catch {
      // Without a network the stream is not expired for long either: it is asked for again by hand.
    }
  };
  stream.onStatus((status) => {
    if (status.phase === 'live') tries = 0;
    if (status.phase !== 'expired' || waiting || tries >= TRIES) return;
    waiting = true;
    around.after(Math.max(0, last + APART_MS - around.now()), () => void ask());
  });
}
