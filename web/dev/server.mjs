// A development stream: serves dist and speaks livemap's event stream with
// made-up records, in any state that a page has to live with.
//
//   node dev/server.mjs [--port 8090] [--rate 200] [--mode live]
//
// Modes, also per request as ?mode= or switched while running by POST /dev/mode?NAME:
//   live        as it should be
//   trickle     each write cut into pieces of 7 bytes, also inside a character
//   stall       hello and first records, then silence
//   drop        the connection breaks every 5 s
//   drain       goodbye after 5 s, retry 1.5 s
//   expired     goodbye `expired` after 3 s, 401 from then on
//   401 503     that answer, as a problem
//   gap         a gap of shipments every 5 s
//   quiet       hello and heartbeats, no record
//   old         figures that stopped a minute ago
//   hostile     names that try to be markup, huge numbers, unknown fields, a broken line
import { createReadStream, existsSync } from 'node:fs';
import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { World } from './data.mjs';

export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'";

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.txt': 'text/plain; charset=utf-8', '.csv': 'text/csv; charset=utf-8' };
const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const HEARTBEAT_MS = 2_000;
const TOPICS = Object.entries({ history: 'state', metrics: 'state', shipments: 'log', trending: 'state' }).map(([name, kind]) => ({ name, kind }));

/** Starts the server; resolves to its address, a switch for the mode, counts, and how to end it. */
export async function startDevStream({ port = 0, rate = 200, mode = 'live', seed = 1 } = {}) {
  const state = { mode, connections: 0, open: 0, ids: [], next: 1, world: new World(rate, seed), feed: new EventEmitter().setMaxListeners(0) };
  const stopFeed = feed(state);
  const server = createServer((request, response) => answer(state, request, response));
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    state,
    close: () => {
      stopFeed();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Writes the records that all clients get, and keeps the latest of each. */
function feed(state) {
  const { world } = state;
  state.latest = { history: world.history(Date.now()), trending: world.trending(Date.now()), metrics: world.metrics(Date.now()) };
  const publish = (topic, record) => {
    if (topic !== 'shipments') state.latest[topic] = record;
    state.feed.emit('record', topic, record);
  };
  const timers = [
    setInterval(() => publish('metrics', world.metrics(Date.now())), 1_000),
    setInterval(() => publish('shipments', world.shipments(Date.now())), 100),
    setInterval(() => publish('trending', world.trending(Date.now())), 5_000),
    setInterval(() => publish('history', world.history(Date.now())), 60_000),
  ];
  return () => timers.forEach(clearInterval);
}

function answer(state, request, response) {
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname === '/v1/events') return stream(state, url, request, response);
  if (url.pathname === '/dev/mode' && request.method === 'POST') {
    state.mode = url.search.slice(1);
    return response.end(`${state.mode}\n`);
  }
  if (url.pathname === '/page.json') return json(response, state.branding ?? {});
  if (url.pathname === '/v1/latest') return json(response, state.latest[url.searchParams.get('topic')]);
  const name = { '/': 'index.html', '/embed': 'embed.html' }[url.pathname] ?? normalize(url.pathname).slice(1);
  const file = join(DIST, name);
  if (!file.startsWith(DIST) || !existsSync(file)) return problem(response, 404, 'Not Found');
  response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', 'Content-Security-Policy': POLICY });
  createReadStream(file).pipe(response);
}

function json(response, value) {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(value));
}

function problem(response, status, title, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'application/problem+json', ...headers });
  response.end(JSON.stringify({ type: 'about:blank', title, status }));
}

/** One client's stream. */
function stream(state, url, request, response) {
  const mode = url.searchParams.get('mode') ?? state.mode;
  state.connections++;
  state.ids.push(request.headers['last-event-id'] ?? '');
  if (mode === '401') return problem(response, 401, 'Unauthorized', { 'WWW-Authenticate': 'Bearer' });
  if (mode === '503') return problem(response, 503, 'Service Unavailable', { 'Retry-After': '2' });
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache, no-transform', 'X-Accel-Buffering': 'no' });
  response.flushHeaders();
  state.open++;
  const timers = [];
  const every = (ms, call) => timers.push(setInterval(call, ms));
  const quiet = () => {
    timers.forEach(clearInterval);
    state.feed.off('record', forward);
  };
  response.on('close', () => {
    state.open--;
    quiet();
  });
  const write = mode === 'trickle' ? trickle(response, timers) : (text) => response.write(text);
  const send = (name, record, id = `dev-${state.next++}`) => write(`event: ${name}\ndata: ${JSON.stringify(record)}\n${id ? `id: ${id}\n` : ''}\n`);

  const forward = (topic, record) => send(topic, disguise(mode, record));
  const now = new Date().toISOString();
  write(`retry: ${mode === 'drain' ? 1_500 : 1_000}\n`);
  send('hello', { v: 1, server: 'dev', heartbeat_ms: HEARTBEAT_MS, now, topics: TOPICS }, '');
  every(HEARTBEAT_MS, () => send('heartbeat', { now: new Date().toISOString() }));
  if (mode === 'quiet') return;
  first(send, state, mode);
  if (mode === 'stall') return quiet();
  if (mode === 'old') return;
  if (mode === 'hostile') write('data: {"broken\nid: dev-x\nnonsense: 1\n\n: a comment\n\n');
  state.feed.on('record', forward);
  if (mode === 'drop') every(5_000, () => response.destroy());
  if (mode === 'gap') every(5_000, () => send('gap', { topic: 'shipments', partition: 0, reason: 'slow', from: 10, to: 20, at_most: 10 }));
  if (mode === 'drain') every(5_000, () => bye(send, response, 'drain'));
  if (mode === 'expired')
    every(3_000, () => {
      state.mode = '401';
      bye(send, response, 'expired');
    });
}

function bye(send, response, reason) {
  send('goodbye', { reason }, '');
  response.end();
}

/** The latest of each key and the last batches, as a hub sends them to who joins. */
function first(send, { world, latest }, mode) {
  const shift = mode === 'old' ? 60_000 : 0;
  for (const [topic, record] of Object.entries(latest))
    send(topic, disguise(mode, shift ? { ...record, emitted_at: new Date(Date.parse(record.emitted_at) - shift).toISOString() } : record));
  for (let i = 20; i > 0; i--) send('shipments', disguise(mode, world.shipments(Date.now() - shift - i * 100)));
}

/** Puts into a record what the page must not fall for. */
function disguise(mode, original) {
  if (mode !== 'hostile') return original;
  const record = structuredClone(original);
  const markup = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
  if (record.items) record.items.forEach((item, i) => (item.title = i % 2 ? markup : '\u202Eevil\u0000 שלום 你好 नमस्ते'));
  if (record.latest) record.latest.forEach((row) => Object.assign(row, { title: markup, to: '"><b>x', currency: 'not a currency' }));
  if (record.total) Object.assign(record, { sales: 9_007_199_254_740_991, distance_m: 8e15, orders: 1e15 });
  return { ...record, unknown: { nested: [1, 2, 3] }, v: 1 };
}

function trickle(response, timers) {
  let queue = Buffer.alloc(0);
  timers.push(
    setInterval(() => {
      for (let i = 0; i < 400 && queue.length > 0; i++) {
        response.write(queue.subarray(0, 7));
        queue = queue.subarray(7);
      }
    }, 20),
  );
  return (text) => (queue = Buffer.concat([queue, Buffer.from(text)]));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const option = (name, fallback) => {
    const at = process.argv.indexOf(`--${name}`);
    return at < 0 ? fallback : process.argv[at + 1];
  };
  const { url } = await startDevStream({ port: Number(option('port', 8090)), rate: Number(option('rate', 200)), mode: option('mode', 'live') });
  process.stdout.write(`${url}\n`);
}
