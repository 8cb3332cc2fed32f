import { createParser } from 'eventsource-parser';
import { LivemapError } from './errors.ts';

/** One server-sent event. */
export interface ServerEvent {
  readonly name: string;
  readonly data: string;
  /** Absent where the event had no id line: the last id then stays as it is. */
  readonly id: string | undefined;
}

/** What a stream parser reports. */
export interface ParserSink {
  event(event: ServerEvent): void;
  /** The server's reconnection time in milliseconds. */
  retry(ms: number): void;
}

/**
 * The most characters that one unfinished event may hold. A server that sends
 * more is not livemap, or broken: the connection is given up.
 */
export const MAX_EVENT_CHARS = 4 << 20;

/** A parser of event-stream bytes, cut anywhere, also inside a UTF-8 character. */
export interface StreamParser {
  /** Throws when an event grows past MAX_EVENT_CHARS. */
  feed(chunk: Uint8Array): void;
}

/** Returns a parser for one connection. */
export function streamParser(sink: ParserSink): StreamParser {
  const decoder = new TextDecoder();
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARS,
    onEvent: (e) => sink.event({ name: e.event ?? 'message', data: e.data, id: e.id }),
    onRetry: (ms) => sink.retry(ms),
    onError: (error) => {
      // Unknown fields are to be ignored (WHATWG HTML, 9.2.6); only size ends the stream.
      if (error.type === 'max-buffer-size-exceeded') throw new LivemapError('too_large', `an event has more than ${MAX_EVENT_CHARS} characters: this is no stream of livemap, or a record that is not for browsers`);
    },
  });
  return { feed: (chunk) => parser.feed(decoder.decode(chunk, { stream: true })) };
}
