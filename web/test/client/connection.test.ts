import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Connection } from '../../src/client/connection.ts';
import { hello, metrics, problem, Server, settle } from './fakes.ts';
import type { Surroundings } from '../../src/client/surroundings.ts';
import { address, type Message, type Query, type Status } from '../../src/client/protocol.ts';

const query: Query = { url: 'http://map.test/v1/events', topics: ['metrics', 'shipments'], keys: ['world'], version: 1, credentials: 'same-origin' };

describe('connection', () => {
  let server: Server;
  let heard: Message[];
  let connection: Connection;
  let around: Surroundings;

  const phases = () => heard.flatMap((m) => (m.type === 'status' ? [m.status.phase] : []));
  const status = (): Status => heard.flatMap((m) => (m.type === 'status' ? [m.status] : [])).at(-1)!;

  beforeEach(() => {
    vi.useFakeTimers({ now: Date.parse('2026-11-27T00:00:00Z') });
    server = new Server();
    around = { fetch: server.fetch, now: () => Date.now(), random: () => 0.5 };
    heard = [];
    connection = new Connection(query, (messages) => void heard.push(...messages), { around });
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
    expect(heard).toContainEqual({ type: 'record', topic: 'metrics', kind: 'state', key: 'world', text: '{"scope":"world","orders":7}', id: 'id1' });
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
    server.next = () => problem(401, 'Unauthorized');
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
    server.next = () => problem(400, 'Bad Request', 'unknown topic "x"');
    connection.open();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(status()).toMatchObject({ phase: 'closed', reason: 'Bad Request', error: { code: 'refused', message: expect.stringContaining('unknown topic "x"') } });
    expect(server.requests).toHaveLength(1);
  });

  it('comes back after 503 when Retry-After says so', async () => {
    server.next = () => new Response('', { status: 503, statusText: 'Service Unavailable', headers: { 'Retry-After': '7' } });
    connection.open();
    await settle();
    expect(status()).toMatchObject({ phase: 'connecting', retryAt: Date.now() + 7_500, reason: '503 Service Unavailable', error: { code: 'overload' } });
    connection.wake(); // somebody looks at the page: the server's wish still counts
    await vi.advanceTimersByTimeAsync(7_499);
    expect(server.requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
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
    const withToken = new Connection(query, () => {}, { tokens: () => Promise.resolve('secret'), around });
    withToken.open();
    await settle();
    expect(server.requests[0]!.headers['Authorization']).toBe('Bearer secret');
    expect(server.requests[0]!.url).not.toContain('secret');
    withToken.close();
  });

  it('renews its token by the callback, and resumes where it was', async () => {
    const asked: boolean[] = [];
    const tokens = (renew: boolean) => Promise.resolve(asked.push(renew) === 1 ? 'first' : 'second');
    connection = new Connection(query, (messages) => void heard.push(...messages), { tokens, around });
    connection.open();
    await server.send(hello() + metrics(1, 'id1') + 'event: goodbye\ndata: {"reason":"expired"}\n\n');
    await server.end();
    await vi.advanceTimersByTimeAsync(1_000);
    await server.send(hello());
    expect(asked).toEqual([false, true]);
    expect(server.requests.map((r) => r.headers['Authorization'])).toEqual(['Bearer first', 'Bearer second']);
    expect(server.requests[1]!.headers['Last-Event-ID']).toBe('id1');
    expect(phases()).toEqual(['connecting', 'live', 'reconnecting', 'reconnecting', 'live']);
  });

  it('ends in expired where nobody is signed in, and waits where the callback fails', async () => {
    let answer: () => Promise<string | undefined> = () => Promise.reject(new Error('offline'));
    connection = new Connection(query, (messages) => void heard.push(...messages), { tokens: () => answer(), around });
    connection.open();
    await settle();
    expect(status()).toMatchObject({ phase: 'connecting', retryAt: Date.now() + 500, error: { code: 'token', message: expect.stringContaining('offline') } });
    answer = () => Promise.resolve(undefined);
    server.next = () => problem(401, 'Unauthorized', 'the token has been revoked');
    await vi.advanceTimersByTimeAsync(500);
    expect(status()).toMatchObject({ phase: 'expired', error: { code: 'unauthorized', message: expect.stringMatching(/the token has been revoked.*sign in, then call renew\(\)/) } });
    connection.renew('given by hand');
    await settle();
    expect(server.requests.at(-1)!.headers['Authorization']).toBe('Bearer given by hand');
  });

  it('gives up on a token callback that never answers, and calls it again', async () => {
    let calls = 0;
    connection = new Connection(query, (messages) => void heard.push(...messages), { tokens: () => (calls++, new Promise(() => {})), around });
    connection.open();
    await vi.advanceTimersByTimeAsync(31_000);
    expect(status().error).toMatchObject({ code: 'token' });
    expect(calls).toBe(2);
  });

  it('gets a session when it needs one, not before', async () => {
    connection = new Connection({ ...query, session: 'http://map.test/v1/session' }, (messages) => void heard.push(...messages), { around });
    server.next = () => problem(401, 'Unauthorized');
    server.sessions = [() => new Response(null, { status: 204 })];
    connection.open();
    await vi.advanceTimersByTimeAsync(100);
    await server.send(hello());
    expect(server.posts).toBe(1);
    expect(phases()).toEqual(['connecting', 'connecting', 'live']);
    // Its end brings another one, five seconds after the one before at the earliest.
    server.sessions = [() => new Response(null, { status: 204 })];
    await server.send('event: goodbye\ndata: {"reason":"expired"}\n\n');
    await server.end();
    expect(status()).toMatchObject({ phase: 'reconnecting', retryAt: Date.now() + 4_900 });
    await vi.advanceTimersByTimeAsync(4_900);
    await server.send(hello());
    expect(status().phase).toBe('live');
  });

  it('does not ask for ever for sessions that open nothing, nor where there are none', async () => {
    const session = { ...query, session: 'http://map.test/v1/session' };
    connection = new Connection(session, (messages) => void heard.push(...messages), { around });
    server.next = () => problem(401, 'Unauthorized');
    connection.open();
    await settle();
    expect(server.posts).toBe(1);
    expect(status()).toMatchObject({ phase: 'expired', error: { message: expect.stringContaining('gives no sessions') } });

    server.sessions = Array.from({ length: 9 }, () => () => (server.next = () => problem(401, 'Unauthorized'), new Response(null, { status: 204 })));
    server.next = () => problem(401, 'Unauthorized');
    connection.renew();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.posts).toBe(4);
    expect(status()).toMatchObject({ phase: 'expired', error: { code: 'unauthorized', message: expect.stringContaining('3 renewals') } });
  });

  it('asks for a session again when the server had too much to do', async () => {
    connection = new Connection({ ...query, session: 'http://map.test/v1/session' }, (messages) => void heard.push(...messages), { around });
    server.next = () => problem(401, 'Unauthorized');
    server.sessions = [() => problem(429, 'Too Many Requests', undefined, { 'Retry-After': '3' })];
    connection.open();
    await settle();
    expect(status()).toMatchObject({ phase: 'connecting', retryAt: Date.now() + 3_500, error: { code: 'overload' } });
  });

  it('notices a sleep by the wall clock, as the clock behind timers stood still', async () => {
    connection.open();
    await server.send(hello());
    vi.setSystemTime(Date.now() + 3_600_000);
    connection.wake();
    await settle();
    expect(server.requests[0]!.aborted).toBe(true);
    expect(phases()).toEqual(['connecting', 'live', 'stale', 'reconnecting']);
    expect(status().reason).toBe('silent');
  });

  it('keeps waiting longer for a server that only ever says hello', async () => {
    connection.open();
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      await server.send(hello());
      await server.end();
      waits.push(status().retryAt! - Date.now());
      await vi.advanceTimersByTimeAsync(waits.at(-1)!);
    }
    expect(waits).toEqual([500, 1_000, 2_000, 4_000]);
  });

  it('starts from the bottom after a stream that lived', async () => {
    connection.open();
    await server.send(hello());
    await server.end();
    await vi.advanceTimersByTimeAsync(500);
    await server.send(hello());
    for (let i = 0; i < 4; i++) {
      await vi.advanceTimersByTimeAsync(1_500);
      await server.send('event: heartbeat\ndata: {"now":"2026-11-27T00:00:00Z"}\nid: h\n\n');
    }
    await server.end();
    expect(status().retryAt).toBe(Date.now() + 500);
  });

  it('closes on a server of another version, and says what to do', async () => {
    connection.open();
    await server.send('event: hello\ndata: {"v":2,"topics":[]}\n\n');
    expect(status()).toMatchObject({ phase: 'closed', error: { code: 'version', message: expect.stringContaining('/livemap.js') } });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.requests).toHaveLength(1);
  });

  it('leaves out records of another version, with a word', async () => {
    connection.open();
    await server.send(hello() + 'event: metrics\ndata: {"v":2,"scope":"world"}\nid: x\n\nevent: metrics\ndata: {"v":1,"scope":"world","new":[]}\nid: y\n\n');
    expect(heard.filter((m) => m.type === 'record').map((m) => m.text)).toEqual(['{"v":1,"scope":"world","new":[]}']);
    expect(heard.find((m) => m.type === 'trouble')).toMatchObject({ trouble: { code: 'version', message: expect.stringContaining('metrics') } });
  });

  it('reads keys from envelopes', async () => {
    connection = new Connection({ ...query, envelope: true }, (messages) => void heard.push(...messages), { around });
    connection.open();
    await server.send(hello() + 'event: metrics\ndata: {"topic":"metrics","key":"a","value":"plain text"}\nid: x\n\n');
    expect(server.requests[0]!.url).toContain('envelope=1');
    expect(heard.find((m) => m.type === 'record')).toMatchObject({ key: 'a' });
  });

  it('forgets keys of a state topic that begins anew without them', async () => {
    connection.open();
    const record = (key: string) => `event: metrics\ndata: {"scope":"${key}"}\nid: ${key}\n\n`;
    await server.send(hello() + record('world') + record('country/CA'));
    await server.send('event: gap\ndata: {"topic":"metrics","reason":"unknown_id"}\nid: g\n\n' + record('world'));
    expect(heard.some((m) => m.type === 'delete')).toBe(false);
    await server.send('event: heartbeat\ndata: {"now":"2026-11-27T00:00:00Z"}\nid: h\n\n');
    expect(heard.filter((m) => m.type === 'delete')).toEqual([{ type: 'delete', topic: 'metrics', key: 'country/CA' }]);
    expect(heard.some((m) => m.type === 'gap')).toBe(false);
  });

  it('comes back where something else than livemap answers, and says what', async () => {
    server.next = () => new Response('<html>sign in to the WLAN', { headers: { 'Content-Type': 'text/html' } });
    connection.open();
    await settle();
    expect(status()).toMatchObject({ phase: 'connecting', error: { code: 'not_a_stream', message: expect.stringContaining('text/html') } });
    expect(status().retryAt).toBeDefined();
  });

  it('hands over what came in one piece together', async () => {
    const pieces: number[] = [];
    connection = new Connection(query, (messages) => void pieces.push(messages.length), { around });
    connection.open();
    await server.send(hello() + metrics(1, 'a'));
    pieces.length = 0;
    await server.send(metrics(2, 'b') + metrics(3, 'c') + metrics(4, 'd'));
    expect(pieces).toEqual([3]);
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
    const url = new URL(address({ ...query, topics: ['a'], keys: ['country/CA', 'x,y', '50%'] }));
    expect(url.search).toBe('?topics=a&keys=country/CA,x%252Cy,50%2525');
    expect(url.searchParams.get('keys')).toBe('country/CA,x%2Cy,50%25');
  });
});
