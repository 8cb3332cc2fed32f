import type { Entry } from './entry.ts';
import type { Trouble } from './errors.ts';
import type { Gap, Status } from './protocol.ts';

/** Ends what it was returned by. */
export type Off = () => void;

/** An entry read from a bounded queue: `missed` records before it were dropped because the reader was slow. */
export type LogEntry<T> = Entry<T> & { readonly missed: number };

/** A stream. All callbacks run on the thread that called `connect`, in the order of the events. */
export interface Stream {
  readonly status: Status;
  /** How far the server's clock is ahead of ours, in milliseconds; undefined before hello. */
  readonly clockOffset: number | undefined;
  /** The latest record of each key of a state topic: a live map, always the same object. */
  state<T>(topic: string): ReadonlyMap<string, T>;
  /** Calls back with each new value of a state topic, starting with those known; undefined: deleted. */
  onState<T>(topic: string, call: (value: T | undefined, key: string) => void): Off;
  /** Calls back with each record of a log topic. */
  onLog<T>(topic: string, call: (value: T, key: string, entry: Entry<T>) => void): Off;
  /** The records of a log topic for `for await`. Where the loop is slower than the stream, `limit` records (1,024) wait and the oldest go first. */
  log<T>(topic: string, options?: { readonly limit?: number }): AsyncIterableIterator<LogEntry<T>>;
  /** Calls back with the status, and whenever it changes. */
  onStatus(call: (status: Status) => void): Off;
  /** Calls back when records of a log topic were missed. */
  onGap(call: (gap: Gap) => void): Off;
  /** Calls back with what went wrong without ending the stream: a record left out, a callback that threw. */
  onError(call: (trouble: Trouble) => void): Off;
  /** Milliseconds since the server wrote `emittedAt`; undefined before hello. */
  age(emittedAt: string): number | undefined;
  /** Tries again now instead of at `status.retryAt`. */
  retryNow(): void;
  /** Goes on after `expired` or `closed`, with another token where one is given. */
  renew(token?: string): void;
  close(): void;
}
