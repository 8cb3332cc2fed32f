/**
 * The client of a livemap server: a typed module without dependencies on the
 * page, served at /livemap.js and packed for npm. Start at `connect`, and with
 * README.md. The same file, started as a worker, is what tabs share.
 */
import type { Options } from './options.ts';
import { fetchRange, type Range, type RangeOptions } from './range.ts';
import { Reader } from './reader.ts';
import { serveShared } from './shared.ts';
import type { Stream } from './stream.ts';

export type { Entry } from './entry.ts';
export { LivemapError, type Trouble, type TroubleCode } from './errors.ts';
export type { Options } from './options.ts';
export type { Gap, Kind, Phase, Status } from './protocol.ts';
export type { Range, RangeOptions } from './range.ts';
export type * from './records.ts';
export type { LogEntry, Off, Stream } from './stream.ts';

/** Opens a stream. It stays open through losses until `close`. Throws a TypeError where the options are wrong. */
export function connect(options: Options): Stream {
  return new Reader(options, import.meta.url);
}

/**
 * Fetches the records of a piece of the past, on a connection of its own that is resumed where it breaks. Rejects with
 * a LivemapError (`too_large`, `refused`, `unauthorized`, …), or the signal's reason.
 */
export function range<T = unknown>(options: RangeOptions): Promise<Range<T>> {
  return fetchRange<T>(options, import.meta.url);
}

serveShared();
