import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { queryOf } from '../../src/client/options.ts';
import { Queue } from '../../src/client/queue.ts';
import { Reader } from '../../src/client/reader.ts';
import type { Stream } from '../../src/client/stream.ts';
import { hello, metrics, Server, settle, shipments } from './fakes.ts';

const MODULE = 'http://map.test/app/livemap.js';

describe('stream', () => {
  let server: Server;
  let stream: Stream;

  beforeEach(() => {
    vi.useFakeTimers();
    server = new Server();
    vi.stubGlobal('fetch', server.fetch);
    vi.stubGlobal('reportError', () => {});
    stream = new Reader({ topics: ['metrics', 'shipments'], share: false }, MODULE);
  });
  afterEach(() => {
    stream.close();
    expect(vi.getTimerCount()).toBe(0);
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it('keeps the latest of each key in one map, and tells those who come late', async () => {
    const map = stream.state<{ orders: number }>('metrics');
    await server.send(hello() + metrics(1, 'a') + metrics(2, 'b') + metrics(3, 'c', 'country/CA'));
    expect(server.requests[0]!.url).toBe('http://map.test/app/v1/events?topics=metrics,shipments');
    expect([...map].map(([key, { orders }]) => [key, orders])).toEqual([['world', 2], ['country/CA', 3]]);
    const told: unknown[] = [];
    stream.onState<{ orders: number }>('metrics', (value, key) => told.push([key, value?.orders]));
    await server.send('event: delete\ndata: {"topic":"metrics","key":"country/CA"}\nid: d\n\n');
    expect(told).toEqual([['world', 2], ['country/CA', 3], ['country/CA', undefined]]);
    expect(map.size).toBe(1);
  });

  it('gives each record of a log to every callback, until it is off', async () => {
    const one: number[] = [];
    const two: string[] = [];
    const off = stream.onLog<{ of: number }>('shipments', (batch) => one.push(batch.of));
    stream.onLog<{ of: number }>('shipments', (_, key, { id }) => two.push(`${key} ${id}`));
    await server.send(hello() + shipments(1, 'a'));
    off();
    await server.send(shipments(2, 'b'));
    expect(one).toEqual([1]);
    expect(two).toEqual(['world a', 'world b']);
  });

  it('goes on when a callback throws, and says so', async () => {
    const troubles: string[] = [];
    const heard: unknown[] = [];
    stream.onError((trouble) => troubles.push(`${trouble.code}: ${trouble.message}`));
    stream.onLog('shipments', () => {
      throw new Error('oh');
    });
    stream.onLog('shipments', (batch) => heard.push(batch));
    await server.send(hello() + shipments(1, 'a'));
    expect(heard).toHaveLength(1);
    expect(troubles).toEqual(['listener: a callback threw: oh']);
  });

  it('can be read with for await, bounded, with a count of what was dropped', async () => {
    const read: [number, number][] = [];
    const iterator = stream.log<{ of: number }>('shipments', { limit: 3 });
    const loop = (async () => {
      for await (const { value, missed } of iterator) {
        read.push([value.of, missed]);
        if (read.length === 1) await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    })();
    await server.send(hello() + shipments(1, 'a'));
    for (let n = 2; n <= 8; n++) await server.send(shipments(n, `i${n}`));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(read).toEqual([[1, 0], [6, 4], [7, 0], [8, 0]]);
    stream.close();
    await loop;
  });

  it('leaves the queue when the loop is left', async () => {
    const iterator = stream.log('shipments');
    await server.send(hello() + shipments(1, 'a'));
    for await (const { key } of iterator) {
      expect(key).toBe('world');
      break;
    }
    await server.send(shipments(2, 'b'));
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  it('is closed once, with a status', async () => {
    const phases: string[] = [];
    stream.onStatus(({ phase }) => phases.push(phase));
    await server.send(hello());
    stream.close();
    stream.close();
    await settle();
    expect(phases).toEqual(['connecting', 'live', 'closed']);
    expect(server.requests[0]!.aborted).toBe(true);
  });

  it('ends with its signal', async () => {
    const control = new AbortController();
    const other = new Reader({ topics: ['metrics'], share: false, signal: control.signal }, MODULE);
    control.abort();
    expect(other.status.phase).toBe('closed');
    expect(new Reader({ topics: ['metrics'], share: false, signal: control.signal }, MODULE).status.phase).toBe('closed');
  });

  it('knows ages by the clock of the server', async () => {
    expect(stream.age(new Date().toISOString())).toBeUndefined();
    await server.send(hello());
    expect(stream.age(new Date(Date.now() - 1_000).toISOString())).toBe(1_250);
  });
});

describe('options', () => {
  const wrong = (options: object) => () => queryOf(options as never, MODULE);

  it('say what is wrong with them', () => {
    expect(wrong({})).toThrow(/topics must name/);
    expect(wrong({ topics: ['a,b'] })).toThrow(/"a,b" is not the name/);
    expect(wrong({ topics: ['a'], keys: [] })).toThrow(/keys must name/);
    expect(wrong({ topics: ['a'], keys: Array(300).fill('k') })).toThrow(/keys names 300/);
    expect(wrong({ topics: ['a'], url: 'http://' })).toThrow(/url: "http:\/\/" is not an address/);
    expect(wrong({ topics: ['a'], since: 'soon' })).toThrow(/since: "soon"/);
    expect(wrong({ topics: ['a'], version: 0 })).toThrow(/version/);
  });

  it('take times in every form', () => {
    const since = (value: string | number | Date) => queryOf({ topics: ['a'], since: value }, MODULE).since;
    expect(since('-5m')).toBe('-5m');
    expect(since('2026-11-27T01:00:00+01:00')).toBe('2026-11-27T00:00:00.000Z');
    expect(since(0)).toBe('1970-01-01T00:00:00.000Z');
    expect(since(new Date(1))).toBe('1970-01-01T00:00:00.001Z');
  });

  it('find the sessions beside the events', () => {
    expect(queryOf({ topics: ['a'], session: true }, MODULE).session).toBe('http://map.test/app/v1/session');
    expect(queryOf({ topics: ['a'], session: '/login' }, MODULE).session).toBe('http://map.test/login');
  });
});

describe('queue', () => {
  it('serves several readers at once', async () => {
    const queue = new Queue<{ n: number }>(5, () => {});
    const both = Promise.all([queue.next(), queue.next()]);
    queue.push({ n: 1 });
    queue.push({ n: 2 });
    expect((await both).map((r) => (r.value as { n: number }).n)).toEqual([1, 2]);
  });

  it('reads out what is there when it ends', async () => {
    const queue = new Queue<{ n: number }>(5, () => {});
    queue.push({ n: 1 });
    queue.end();
    queue.push({ n: 2 });
    expect(await queue.next()).toEqual({ done: false, value: { n: 1, missed: 0 } });
    expect((await queue.next()).done).toBe(true);
  });
});
