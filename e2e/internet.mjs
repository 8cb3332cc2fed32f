// The README's "Put it on the internet", followed to the letter: its commands run
// as they stand there, with the shipped nginx, and a browser shows the map over
// HTTPS. What differs is only where: free ports, a folder of the test's own for
// nginx's logs, and a certificate that is made here.
//
//   node --test e2e/internet.mjs          (SHOTS=DIR keeps a picture)
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FLAGS, openPage, picture, SIZES, startBrowser } from '../web/test/browser.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'livemap-internet-'));
const ORIGIN = 'https://map.example';
const PATIENCE = 120_000;
const running = [];
let browser, script, token, printed = '';

/** Ports that nobody listens at now. */
async function freePorts(n) {
  const servers = await Promise.all(Array.from({ length: n }, () => new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
  })));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Waits until ask is true. */
async function eventually(what, ask) {
  for (const deadline = Date.now() + PATIENCE; !(await ask()); await new Promise((resolve) => setTimeout(resolve, 100)))
    assert.ok(Date.now() < deadline, `${what}: not within ${PATIENCE} ms; printed:\n${printed}`);
}

const listens = (port) => new Promise((resolve) => {
  const socket = createConnection(port, '127.0.0.1', () => { socket.end(); resolve(true); });
  socket.on('error', () => resolve(false));
});

/** Starts a program that runs until the end of the test. */
function start(command, args, env = {}) {
  const child = spawn(command, args, { cwd: work, env: { ...process.env, ...env } });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (printed += text));
  running.push(child);
  return child;
}

/** The commands of the README. */
function commands() {
  const section = readFileSync(join(root, 'README.md'), 'utf8').split('## Put it on the internet')[1].split('\n## ')[0];
  const blocks = [...section.matchAll(/```sh\n(.*?)```/gs)].map((match) => match[1]);
  assert.equal(blocks.length, 1, 'one block of commands');
  return blocks[0];
}

/** Replaces what must be there. */
function replaced(text, pairs) {
  for (const [from, to] of pairs) {
    assert.ok(text.includes(from), `the README no longer says ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

/** A certificate for map.example by an authority of its own; returns how Chromium knows its key. */
function certify() {
  const openssl = (...args) => execFileSync('openssl', args, { cwd: work, stdio: ['ignore', 'pipe', 'ignore'] });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...key, '-days', '2', '-subj', '/CN=livemap test authority', '-keyout', 'ca-key.pem', '-out', 'ca.pem');
  openssl('req', ...key, '-subj', '/CN=map.example', '-keyout', 'key.pem', '-out', 'request.pem');
  writeFileSync(join(work, 'names'), 'subjectAltName=DNS:map.example\n');
  openssl('x509', '-req', '-in', 'request.pem', '-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial', '-days', '1', '-extfile', 'names', '-out', 'cert.pem');
  writeFileSync(join(work, 'public.pem'), openssl('x509', '-in', 'cert.pem', '-pubkey', '-noout'));
  openssl('pkey', '-pubin', '-in', 'public.pem', '-outform', 'DER', '-out', 'public.der');
  return execFileSync('openssl', ['dgst', '-sha256', '-binary', 'public.der'], { cwd: work }).toString('base64');
}

// What stands before the README's commands: nginx gets other ports and folders
// before it starts, and curl looks for map.example here and ends by itself.
const PRELUDE = `set -eu
trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT
trap 'exit 0' TERM
nginx() {
  sed -i "s#/var/log/nginx/#$PWD/#; s#/run/nginx.pid#$PWD/nginx.pid#" map-nginx/*.conf
  sed -i "/listen \\[::\\]/d; s/listen 443 /listen 127.0.0.1:$HTTPS /; s/listen 80;/listen 127.0.0.1:$HTTP;/" map-nginx/livemap.conf
  sed -i "s/127.0.0.1:8081/127.0.0.1:$POD1/; s/127.0.0.1:8082/127.0.0.1:$POD2/; s/127.0.0.1:8083/127.0.0.1:$POD3/" map-nginx/pods.conf
  PATH=$PATH:/usr/sbin command nginx -e "$PWD/error.log" "$@" -g 'daemon off;' &
  for pod in $POD1 $POD2 $POD3 $HTTPS; do
    until (exec 3<>/dev/tcp/127.0.0.1/$pod) 2>/dev/null; do sleep 0.1; done
  done
}
curl() {
  command curl -sS --max-time 10 --cacert ca.pem --connect-to "map.example:443:127.0.0.1:$HTTPS" "$@" >curl.txt || [ $? = 28 ]
}
`;

before(async () => {
  const [kafka, http, https, pod1, pod2, pod3, admin1, admin2, admin3] = await freePorts(9);
  execFileSync('go', ['build', '-o', join(work, 'livemap'), './cmd/livemap'], { cwd: root });
  cpSync(join(root, 'deploy'), join(work, 'deploy'), { recursive: true });
  const pin = certify();

  const livemap = join(work, 'livemap');
  start(livemap, ['broker', '--listen', `127.0.0.1:${kafka}`, '--data-dir', 'log']);
  start(livemap, ['orders', '--kafka', `127.0.0.1:${kafka}`, '--rate', '200']);
  start(livemap, ['aggregate', '--kafka', `127.0.0.1:${kafka}`]);

  const readme = replaced(commands(), [
    ['127.0.0.1:9092', `127.0.0.1:${kafka}`], ['127.0.0.1:808$n', '127.0.0.1:$(eval echo \\$POD$n)'], ['127.0.0.1:909$n', '127.0.0.1:$(eval echo \\$ADMIN$n)'],
  ]);
  script = start('bash', ['-c', `${PRELUDE}${readme}\nprintf %s "$TOKEN" >token.new && mv token.new token\nwait`], {
    PATH: `${work}:${process.env.PATH}`, HTTP: http, HTTPS: https, POD1: pod1, POD2: pod2, POD3: pod3, ADMIN1: admin1, ADMIN2: admin2, ADMIN3: admin3,
  });
  let ended;
  script.on('exit', (code) => (ended = code));
  await eventually('the commands', () => {
    assert.equal(ended, undefined, `the commands ended with ${ended}; printed:\n${printed}`);
    try {
      token = readFileSync(join(work, 'token'), 'utf8');
    } catch {
      return false;
    }
    return true;
  });
  assert.ok(await listens(https));
  browser = await startBrowser([...FLAGS, `--host-resolver-rules=MAP map.example:443 127.0.0.1:${https}`, `--ignore-certificate-errors-spki-list=${pin}`]);
});

after(async () => {
  await browser?.close();
  for (const child of running.reverse()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = new Promise((resolve) => child.on('exit', resolve));
    child.kill('SIGTERM');
    await gone;
  }
  rmSync(work, { recursive: true, force: true });
});

describe('put it on the internet', { concurrency: false }, () => {
  it('the token opens the stream for curl', () => {
    const text = readFileSync(join(work, 'curl.txt'), 'utf8');
    assert.match(text, /^event: hello$/m, printed);
    assert.match(text, /^event: metrics$/m);
  });

  it('the token shows a browser the map over HTTPS and HTTP/2', async () => {
    const context = await browser.newContext({ viewport: { width: SIZES.laptop[0], height: SIZES.laptop[1] }, locale: 'en-US', timezoneId: 'UTC' });
    await context.addCookies([{ name: '__Host-livemap', value: token, url: `${ORIGIN}/`, secure: true, httpOnly: true, sameSite: 'Strict' }]);
    const { page, faults } = await openPage(context, ORIGIN, '/', SIZES.laptop);
    await page.waitForFunction(() => document.querySelector('.badge')?.dataset.badge === 'live', undefined, { timeout: PATIENCE });
    await page.waitForFunction(() => document.querySelectorAll('[data-figure] [data-text]').length === 5, undefined, { timeout: PATIENCE });
    assert.equal(await page.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol), 'h2');
    assert.equal(await page.evaluate(() => isSecureContext), true);
    await picture(page, process.env.SHOTS, 'internet');
    assert.deepEqual(faults, []);
    await context.close();
  });

  it('without a token there is the page, and not a figure', async () => {
    const context = await browser.newContext({ viewport: { width: SIZES.laptop[0], height: SIZES.laptop[1] }, locale: 'en-US', timezoneId: 'UTC' });
    const { page } = await openPage(context, ORIGIN, '/', SIZES.laptop, () => true);
    assert.equal(await page.evaluate(async () => (await fetch('/v1/events?topics=metrics')).status), 401);
    assert.equal(await page.evaluate(() => document.querySelectorAll('[data-figure] [data-text]').length), 0);
    await context.close();
  });

  it('nothing that nginx wrote down holds the token', () => {
    for (const log of ['access.log', 'error.log']) assert.ok(!readFileSync(join(work, log), 'utf8').includes(token.slice(0, 40)), log);
  });
});
