import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Connection } from '../../src/client/connection.ts';
import { address, type Message, type Query, type Status } from '../../src/client/protocol.ts';

const query: Query = { url: 'http://map.test/v1/events', topics: ['metrics', 'shipments'], keys: ['world'] };

/** A server that answers one request at a time by hand. */
class Server {
  requests: { url: string; headers: Record<string, string>; aborted: boolean }[] = [];
  private controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  next: (() => Response) | undefined;

  fetch = (url: string, init: RequestInit): Promise<Response> => {
    const request = { url, headers: init.headers as Record<string, string>, aborted: false };
    this.requests.push(request);
    if (this.next) {
      const answer = this.next;
      this.next = undefined;
      return Promise.resolve().then(answer);
    }
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (this.controller = controller) });
    const { controller } = this;
    init.signal!.addEventListener('abort', () => {
      request.aborted = true;
      controller?.error(new Error('aborted'));
    });
    return Promise.resolve(new Response(body, { headers: { 'Content-Type': 'text/event-stream' } }));
  };

  async send(text: string): Promise<void> {
    await settle();
    this.controller!.enqueue(new TextEncoder().encode(text));
    await settle();
  }

  async end(): Promise<void> {
    this.controller!.close();
    await settle();
  }
}

const settle = () => vi.advanceTimersByTimeAsync(0);
const hello = () => `retry: 1000\nevent: hello\ndata: {"v":1,"heartbeat_ms":2000,"now":"${new Date(Date.now() + 250).toISOString()}","topics":[{"name":"metrics","kind":"state"},{"name":"shipments","kind":"log"}]}\n\n`;
const metrics = (orders: number, id: string) => `event: metrics\ndata: {"scope":"world","orders":${orders}}\nid: ${id}\n\n`;

describe('connection', () => {
  let server: Server;
  let heard: Message[];
  let connection: Connection;

  const phases = () => heard.flatMap((m) => (m.type === 'status' ? [m.status.phase] : []));
  const status = (): Status => heard.flatMap((m) => (m.type === 'status' ? [m.status] : [])).at(-1)!;

  beforeEach(() => {
    vi.useFakeTimers({ now: Date.parse('2026-11-27T00:00:00Z') });
    server = new Server();
    heard = [];
    connection = new Connection(query, (m) => void heard.push(m), {
      fetch: server.fetch,
      now: () => Date.now(),
      random: () => 0.5,
    });
  });

  afterEach(() => {
    connection.close();
    vi.useRealTimers();
  });

  it('asks for topics and keys, and goes live with the first event', async () => {
    connection.open();
    expect(phases()).toEqual(['connecting']);
    await server.send(hello());
    await server.send(metrics(7, 'id1'));
    expect(server.requests[0]!.url).toBe('http://map.test/v1/events?topics=metrics,shipments&keys=world');
    expect(server.requests[0]!.headers['Last-Event-ID']).toBeUndefined();
    expect(phases()).toEqual(['connecting', 'live']);
    expect(heard).toContainEqual({ type: 'record', topic: 'metrics', kind: 'state', key: 'world', value: { scope: 'world', orders: 7 }, id: 'id1' });
  });

  it('learns the server clock, and keeps the sample that was least late', async () => {
    connection.open();
    await server.send(hello());
    await server.send(`event: heartbeat\ndata: {"now":"${new Date(Date.now() + 100).toISOString()}"}\nid: h\n\n`);
    expect(heard.filter((m) => m.type === 'clock')).toEqual([{ type: 'clock', offset: 250 }]);
  });

  it('resumes with the last id after the jittered wait', async () => {
    connection.open();
    await server.send(hello() + metrics(1, 'id1') + metrics(2, 'id2'));
    await server.end();
    expect(status()).toMatchObject({ phase: 'reconnecting', reason: 'ended', retryAt: Date.now() + 500 });
    await vi.advanceTimersByTimeAsync(499);
    expect(server.requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(server.requests).toHaveLength(2);
    expect(server.requests[1]!.headers['Last-Event-ID']).toBe('id2');
    await server.send(hello());
    expect(phases()).toEqual(['connecting', 'live', 'reconnecting', 'live']);
  });

  it('keeps the id when hello and goodbye come without one', async () => {
    connection.open();
    await server.send(hello() + metrics(1, 'id1') + 'retry: 4000\nevent: goodbye\ndata: {"reason":"drain"}\n\n');
    await server.end();
    expect(status()).toMatchObject({ phase: 'reconnecting', reason: 'drain', retryAt: Date.now() + 4_000 });
    await vi.advanceTimersByTimeAsync(4_000);
    expect(server.requests[1]!.headers['Last-Event-ID']).toBe('id1');
  });

  it('replaces a connection that has been silent for 2.5 heartbeats', async () => {
    connection.open();
    await server.send(hello());
    await vi.advanceTimersByTimeAsync(4_900);
    expect(phases()).toEqual(['connecting', 'live']);
    await vi.advanceTimersByTimeAsync(200);
    expect(server.requests[0]!.aborted).toBe(true);
    expect(phases()).toEqual(['connecting', 'live', 'stale', 'reconnecting']);
    expect(status().reason).toBe('silent');
  });

  it('is kept alive by heartbeats alone', async () => {
    connection.open();
    await server.send(hello());
    for (let i = 0; i < 10; i++) {
      await vi.advanceTimersByTimeAsync(2_000);
      await server.send(`event: heartbeat\ndata: {"now":"${new Date().toISOString()}"}\nid: h${i}\n\n`);
    }
    expect(server.requests).toHaveLength(1);
    expect(status().phase).toBe('live');
  });

  it('gives up on a server that accepts but never answers', async () => {
    connection.open();
    await vi.advanceTimersByTimeAsync(26_000);
    expect(server.requests.length).toBeGreaterThan(1);
    expect(status().phase).toBe('connecting');
  });

  it('stays expired after 401 until it is renewed', async () => {
    server.next = () => new Response('{"title":"Unauthorized"}', { status: 401, headers: { 'Content-Type': 'application/problem+json' } });
    connection.open();
    await settle();
    expect(status()).toMatchObject({ phase: 'expired', reason: 'Unauthorized' });
    await vi.advanceTimersByTimeAsync(120_000);
    expect(server.requests).toHaveLength(1);
    connection.renew();
    await server.send(hello());
    expect(status().phase).toBe('live');
  });

  it('takes goodbye expired for the end of the token', async () => {
    connection.open();
    await server.send(hello() + 'event: goodbye\ndata: {"reason":"expired"}\n\n');
    await server.end();
    expect(status()).toMatchObject({ phase: 'expired', reason: 'expired' });
  });

  it('does not try again what was refused for good', async () => {
    server.next = () => new Response('{"title":"unknown topic"}', { status: 400 });
    connection.open();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(status()).toMatchObject({ phase: 'closed', reason: 'unknown topic' });
    expect(server.requests).toHaveLength(1);
  });

  it('comes back after 503 when Retry-After says so', async () => {
    server.next = () => new Response('', { status: 503, statusText: 'Service Unavailable', headers: { 'Retry-After': '7' } });
    connection.open();
    await settle();
    expect(status()).toMatchObject({ phase: 'connecting', retryAt: Date.now() + 7_000, reason: '503 Service Unavailable' });
    await vi.advanceTimersByTimeAsync(7_000);
    expect(server.requests).toHaveLength(2);
  });

  it('tries at once when asked to', async () => {
    connection.open();
    await server.send(hello());
    await server.end();
    connection.retryNow();
    await settle();
    expect(server.requests).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.requests).toHaveLength(2);
  });

  it('tells gaps and deletions, and leaves out what it does not know or cannot read', async () => {
    connection.open();
    await server.send(hello() + 'event: gap\ndata: {"topic":"shipments","partition":0,"reason":"slow","from":3,"to":9,"at_most":6}\nid: g\n\n');
    await server.send('event: delete\ndata: {"topic":"metrics","key":"country/CA"}\nid: d\n\n');
    await server.send('event: novelty\ndata: {"x":1}\nid: n\n\nevent: metrics\ndata: {broken\nid: b\n\nevent: metrics\ndata: [1]\nid: c\n\n');
    expect(heard).toContainEqual({ type: 'gap', gap: { topic: 'shipments', partition: 0, reason: 'slow', from: 3, to: 9, at_most: 6 } });
    expect(heard).toContainEqual({ type: 'delete', topic: 'metrics', key: 'country/CA' });
    expect(heard.filter((m) => m.type === 'record')).toEqual([]);
    await server.end();
    await vi.advanceTimersByTimeAsync(500);
    expect(server.requests[1]!.headers['Last-Event-ID']).toBe('c');
  });

  it('sends a token as a header, never in the address', async () => {
    const withToken = new Connection({ ...query, token: 'secret' }, () => {}, { fetch: server.fetch, now: () => Date.now(), random: () => 0.5 });
    withToken.open();
    await settle();
    expect(server.requests[0]!.headers['Authorization']).toBe('Bearer secret');
    expect(server.requests[0]!.url).not.toContain('secret');
    withToken.close();
  });

  it('does nothing more once closed', async () => {
    connection.open();
    await server.send(hello());
    connection.close();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(server.requests).toHaveLength(1);
    expect(status().phase).toBe('closed');
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('address', () => {
  it('escapes what would split a key', () => {
    const url = new URL(address({ url: 'http://map.test/v1/events', topics: ['a'], keys: ['country/CA', 'x,y', '50%'] }));
    expect(url.search).toBe('?topics=a&keys=country/CA,x%252Cy,50%2525');
    expect(url.searchParams.get('keys')).toBe('country/CA,x%2Cy,50%25');
  });
});
