// A fake server: serves dist and speaks livemap's event stream with made-up
// records, in every state that a client has to live with (modes.mjs). It needs
// no backend. Resuming is true: a client that comes back gets what it missed.
//
//   node test/fake/server.mjs [--port 8090] [--rate 200] [--mode live]
//
// The page at / is in the mode of the server, which POST /fake/mode?NAME changes;
// the page at /state/NAME/ is in that mode; /states shows all of them.
import { randomUUID } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gallery } from './gallery.mjs';
import { Log } from './log.mjs';
import { MODES } from './modes.mjs';
import { Stream } from './stream.mjs';
import { World } from './world.mjs';

const file = (name) => fileURLToPath(new URL(name, import.meta.url));
const DIST = file('../../dist/');

/** The policy of web.go itself, with the gallery as a frame. */
const POLICY = [...readFileSync(file('../../web.go'), 'utf8').matchAll(/ContentSecurityPolicy = ([\s\S]*?)\n\n/g)][0][1]
  .match(/"[^"]*"/g)
  .map((part) => JSON.parse(part))
  .join('');

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.txt': 'text/plain; charset=utf-8', '.csv': 'text/csv; charset=utf-8' };

/** Starts the server; resolves to its address, its state (mode, counts, what clients asked for and came with, log, what page.json says), and how to end it. */
export async function startFake({ port = 0, rate = 200, mode = 'live', seed = 1 } = {}) {
  const log = new Log(new World(rate, seed));
  const state = { mode, connections: 0, open: 0, ids: [], addresses: [], tokens: [], log, branding: {}, sessions: new Set(), granted: 0 };
  const server = createServer((request, response) => answer(state, request, response));
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    state,
    /** Breaks every stream, as a network does that goes away. */
    cut: () => server.closeAllConnections(),
    /** Is not there any more: connections are refused. */
    leave: () => (server.close(), server.closeAllConnections()),
    close: () => {
      log.close();
      server.closeAllConnections();
      return new Promise((resolve) => (server.listening ? server.close(resolve) : resolve()));
    },
  };
}

function answer(state, request, response) {
  const url = new URL(request.url, 'http://localhost');
  const [, named, rest] = /^\/state\/([\w-]+)(\/.*)$/.exec(url.pathname) ?? [];
  const mode = named ?? state.mode;
  const path = rest ?? url.pathname;
  if (named !== undefined && !(named in MODES)) return problem(response, 404, 'Not Found');
  if (path === '/v1/events') return events(state, mode, url.searchParams, request, response);
  if (path === '/v1/session') return session(state, mode, request, response);
  if (path === '/states') return html(response, gallery(MODES), { 'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-src 'self'" });
  if (path === '/fake/mode' && request.method === 'POST') {
    state.mode = url.search.slice(1);
    return response.end(`${state.mode}\n`);
  }
  if (path === '/blank') return html(response, '<!doctype html><title>blank</title>', { 'Content-Security-Policy': POLICY });
  if (path === '/page.json') return json(response, state.branding);
  if (path === '/v1/latest') return json(response, state.log.latest.get(url.searchParams.get('topic'))?.record);
  return asset(path, response);
}

function asset(path, response) {
  const name = { '/': 'index.html', '/embed': 'embed.html' }[path] ?? normalize(path).slice(1);
  const found = join(DIST, name);
  if (!found.startsWith(DIST) || !existsSync(found)) return problem(response, 404, 'Not Found');
  response.writeHead(200, { 'Content-Type': TYPES[extname(found)] ?? 'application/octet-stream', 'Content-Security-Policy': `${POLICY}; frame-ancestors 'self'` });
  createReadStream(found).pipe(response);
}

function problem(response, status, title, headers = {}, detail) {
  response.writeHead(status, { 'Content-Type': 'application/problem+json', ...headers });
  response.end(JSON.stringify({ type: 'about:blank', title, status, detail }));
  return true;
}

function json(response, value) {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(value));
  return true;
}

function html(response, text, headers = {}) {
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', ...headers });
  response.end(text);
  return true;
}

const cookieOf = (request) => /fake-session=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1];

function session(state, mode, request, response) {
  if (mode !== 'session' || request.method !== 'POST') return problem(response, 404, 'Not Found');
  const name = randomUUID();
  state.sessions.add(name);
  state.granted++;
  response.writeHead(204, { 'Set-Cookie': `fake-session=${name}; HttpOnly; SameSite=Strict; Path=/` });
  response.end();
}

function events(state, mode, query, request, response) {
  const { refuse, run = (s) => s.follow(), hello } = MODES[mode];
  state.connections++;
  state.addresses.push(request.url);
  state.ids.push(request.headers['last-event-id'] ?? '');
  state.tokens.push(request.headers.authorization ?? '');
  const answerer = {
    problem: (...args) => problem(response, ...args),
    html: (text) => html(response, text),
    session: () => state.sessions.has(cookieOf(request)),
  };
  if (refuse?.(answerer)) return;
  const stream = new Stream(state, mode, query, request, response);
  stream.begin(hello);
  if (query.has('until')) stream.range(Date.parse(query.get('since')), Date.parse(query.get('until')));
  else run(stream);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const option = (name, fallback) => {
    const at = process.argv.indexOf(`--${name}`);
    return at < 0 ? fallback : process.argv[at + 1];
  };
  const { url } = await startFake({ port: Number(option('port', 8090)), rate: Number(option('rate', 200)), mode: option('mode', 'live') });
  process.stdout.write(`${url}          the page\n${url}/states   every state of it\n`);
}
