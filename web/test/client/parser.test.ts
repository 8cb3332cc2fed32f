import { describe, expect, it } from 'vitest';
import { MAX_EVENT_CHARS, streamParser, type ServerEvent } from '../../src/client/parser.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

function parse(chunks: Iterable<Uint8Array>): { events: ServerEvent[]; retries: number[] } {
  const events: ServerEvent[] = [];
  const retries: number[] = [];
  const parser = streamParser({ event: (e) => void events.push(e), retry: (ms) => void retries.push(ms) });
  for (const chunk of chunks) parser.feed(chunk);
  return { events, retries };
}

const stream =
  'retry: 1500\nevent: hello\ndata: {"v":1,"server":"livemap"}\n\n' +
  ': a comment\n\n' +
  'event: shipments\r\ndata: {"to":"Łódź 東京 🛒"}\r\nid: AbC_-1\r\n\r\n' +
  'event: metrics\ndata: {"a":\ndata: 1}\nid: AbC_-2\n\n' +
  'unknown: field\nevent: goodbye\ndata: {"reason":"drain"}\n\n' +
  'event: cut\ndata: {"never":"ends"}\n';

describe('stream parser', () => {
  const whole = parse([bytes(stream)]);

  it('reads names, ids, comments, line ends and the retry time', () => {
    expect(whole.retries).toEqual([1500]);
    expect(whole.events).toEqual([
      { name: 'hello', data: '{"v":1,"server":"livemap"}', id: undefined },
      { name: 'shipments', data: '{"to":"Łódź 東京 🛒"}', id: 'AbC_-1' },
      { name: 'metrics', data: '{"a":\n1}', id: 'AbC_-2' },
      { name: 'goodbye', data: '{"reason":"drain"}', id: undefined },
    ]);
  });

  it('reads the same however the bytes are cut, also inside a character', () => {
    const all = bytes(stream);
    for (let size = 1; size <= 9; size++) {
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < all.length; at += size) chunks.push(all.subarray(at, at + size));
      expect(parse(chunks), `pieces of ${size}`).toEqual(whole);
    }
    for (let at = 1; at < all.length; at++)
      expect(parse([all.subarray(0, at), all.subarray(at)]), `cut at ${at}`).toEqual(whole);
  });

  it('takes a lone carriage return for a line end', () => {
    expect(parse([bytes('event: a\rdata: 1\rid: x\r\rdata: 2\n\n')]).events).toEqual([
      { name: 'a', data: '1', id: 'x' },
      { name: 'message', data: '2', id: undefined },
    ]);
  });

  it('leaves an id alone that holds a NUL', () => {
    expect(parse([bytes('data: 1\nid: a\u0000b\n\n')]).events).toEqual([{ name: 'message', data: '1', id: undefined }]);
  });

  it('gives up on an event without end', () => {
    const parser = streamParser({ event: () => {}, retry: () => {} });
    const chunk = bytes('x'.repeat(1 << 20));
    parser.feed(bytes('data: '));
    expect(() => {
      for (let fed = 0; fed <= MAX_EVENT_CHARS; fed += chunk.length) parser.feed(chunk);
    }).toThrow();
  });
});
