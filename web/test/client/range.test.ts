import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LivemapError } from '../../src/client/errors.ts';
import { fetchRange, type RangeOptions } from '../../src/client/range.ts';
import { hello, problem, Server, settle, shipments } from './fakes.ts';

const MODULE = 'http://map.test/livemap.js';
const piece: RangeOptions = { topics: ['shipments'], keys: ['world'], since: '2026-11-27T00:00:00Z', until: Date.parse('2026-11-27T00:01:00Z') };
const end = 'event: goodbye\ndata: {"reason":"end"}\n\n';

describe('range', () => {
  let server: Server;
  const get = (options: Partial<RangeOptions> = {}) => fetchRange<{ of: number }>({ ...piece, ...options }, MODULE, { fetch: server.fetch, now: () => Date.now(), random: () => 0.5 });
  const failure = (promise: Promise<unknown>) => promise.then(() => expect.unreachable(), (error: unknown) => error);

  beforeEach(() => {
    vi.useFakeTimers();
    server = new Server();
  });
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0); // nothing goes on behind a range that is over
    vi.useRealTimers();
  });

  it('asks for the piece, and resolves with its records and gaps', async () => {
    const got = get();
    await server.send(hello() + 'event: gap\ndata: {"topic":"shipments","reason":"expired"}\nid: g\n\n' + shipments(3, 'a') + shipments(4, 'b') + end);
    await server.end();
    const { records, gaps } = await got;
    expect(server.requests[0]!.url).toBe('http://map.test/v1/events?topics=shipments&keys=world&since=2026-11-27T00%3A00%3A00.000Z&until=2026-11-27T00%3A01%3A00.000Z');
    expect(server.requests[0]!.cache).toBe('default');
    expect(records.map((r) => [r.value.of, r.id])).toEqual([[3, 'a'], [4, 'b']]);
    expect(gaps).toEqual([{ topic: 'shipments', reason: 'expired' }]);
  });

  it('goes on after a break, with each record once', async () => {
    const got = get();
    await server.send(hello() + shipments(3, 'a'));
    await server.fail();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.requests[1]!.headers['Last-Event-ID']).toBe('a');
    await server.send(hello() + shipments(4, 'b') + end);
    await server.end();
    expect((await got).records.map((r) => r.value.of)).toEqual([3, 4]);
  });

  it('fails when the server cannot be reached again and again', async () => {
    const failed = failure(get());
    for (let i = 0; i < 5; i++) {
      await settle();
      await server.fail();
      await vi.advanceTimersByTimeAsync(4_000);
    }
    expect(await failed).toMatchObject({ code: 'network' });
  });

  it('is bounded', async () => {
    const failed = failure(get({ limit: 2 }));
    await server.send(hello() + shipments(1, 'a') + shipments(2, 'b') + shipments(3, 'c'));
    expect(await failed).toMatchObject({ code: 'too_large', message: expect.stringContaining('shorter pieces') });
    expect(server.requests[0]!.aborted).toBe(true);
  });

  it('can be aborted, before and while it runs', async () => {
    const control = new AbortController();
    const failed = failure(get({ signal: control.signal }));
    await server.send(hello() + shipments(1, 'a'));
    control.abort();
    expect(await failed).toMatchObject({ name: 'AbortError' });
    expect(server.requests[0]!.aborted).toBe(true);
    expect(await failure(get({ signal: control.signal }))).toMatchObject({ name: 'AbortError' });
    expect(server.requests).toHaveLength(1);
  });

  it('rejects with what the server says', async () => {
    server.next = () => problem(400, 'Bad Request', 'since lies after until');
    const error = await failure(get());
    expect(error).toBeInstanceOf(LivemapError);
    expect(error).toMatchObject({ code: 'refused', message: expect.stringContaining('since lies after until') });
  });

  it('says which option is wrong', () => {
    expect(() => get({ since: 'yesterday' })).toThrow(/since: "yesterday" is neither/);
    expect(() => get({ until: undefined as never })).toThrow(/needs until/);
    expect(() => get({ topics: [] })).toThrow(/topics must name/);
  });
});
