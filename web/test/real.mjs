// The client and the page in Chromium against real programs: a broker, orders,
// the aggregator and two pods. Everything happens to the first pod and to the
// browser; the second keeps quiet, and is asked in the end what there was.
//
//   node --test test/real.mjs          (LIVEMAP=path of a built binary, to save building)
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { chromium } from 'playwright-core';
import { FLAT, openPage, SIZES } from './browser.mjs';
import { freePort, Programs } from './programs.mjs';

const WAIT = { timeout: 120_000, polling: 100 };
const TOPICS = 'metrics,history,trending,shipments';
const network = (text) => text.includes('Failed to load resource') || text.includes('ERR_');
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let programs;
let server; // Chromium as a process of its own, which can be put to sleep
let browser;
let pod;
let watched;
let witness;

before(async () => {
  programs = new Programs();
  const [broker, a, b] = [await freePort(), await freePort(), await freePort()];
  const kafka = `127.0.0.1:${broker}`;
  await programs.start(['broker', '--listen', kafka, '--data-dir', `${programs.dir}/data`], broker);
  await programs.start(['aggregate', '--kafka', kafka]);
  await programs.start(['orders', '--kafka', kafka, '--rate', '200']);
  const key = programs.path('map.key');
  await (await programs.start(['token', 'keygen', key])).ended;
  watched = `http://localhost:${a}`;
  witness = `http://127.0.0.1:${b}`;
  const serve = (port) => ['serve', '--kafka', kafka, '--listen', `127.0.0.1:${port}`, '--admin-listen', '127.0.0.1:0', '--heartbeat', '2s', '--drain', '1s'];
  const sessions = ['--hs256-key-file', key, '--session-topics', TOPICS, '--session-keys', 'world', '--session-origins', watched, '--session-ttl', '1m', '--leeway', '1s'];
  pod = { start: async () => (pod.program = await programs.start([...serve(a), ...sessions], a)) };
  await Promise.all([pod.start(), programs.start([...serve(b), '--anonymous'], b)]);
  server = await chromium.launchServer({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: FLAT });
  browser = await chromium.connect(server.wsEndpoint());
});
after(async () => {
  await browser?.close();
  await server?.close();
  await programs?.close();
});

/** Opens the page, and beside its own stream one whose batches are noted. */
async function open(context) {
  const { page, faults } = await openPage(context, watched, '/?test=1&flat=1', SIZES.phone, network);
  await page.waitForFunction(() => document.querySelector('[data-sampling]')?.dataset.receivedAt, undefined, WAIT);
  await page.evaluate(async () => {
    const { connect } = await import('/livemap.js');
    const heard = (window.heard = { batches: [], gaps: [], reasons: [] });
    window.stream = connect({ topics: ['shipments'], keys: ['world'], session: true });
    window.stream.onLog('shipments', (batch) => heard.batches.push([batch.emitted_at, batch.of]));
    window.stream.onGap((gap) => heard.gaps.push(gap));
    window.stream.onStatus(({ reason }) => reason && heard.reasons.at(-1) !== reason && heard.reasons.push(reason));
  });
  return { page, faults };
}

const counted = (page) => page.evaluate(() => ({ ...document.querySelector('[data-sampling]').dataset }));

/** Waits until both streams of a page have gone on. */
async function goesOn(page) {
  const now = new Date().toISOString();
  await page.waitForFunction((now) => window.heard.batches.at(-1)?.[0] > now && document.querySelector('[data-sampling]').dataset.receivedAt > now, now, WAIT);
}

/** What the second pod says there was. */
async function truth(first, last) {
  const { range } = await import(new URL('../dist/livemap.js', import.meta.url).href);
  const { records, gaps } = await range({ url: `${witness}/v1/events`, topics: ['shipments'], keys: ['world'], since: Date.parse(first) - 10_000, until: Date.now() });
  assert.deepEqual(gaps, []);
  return records.map(({ value }) => [value.emitted_at, value.of]).filter(([at]) => at >= first && at <= last);
}

describe('against real pods', { concurrency: false }, () => {
  let tabs;
  let begin;
  before(async () => {
    const context = await browser.newContext();
    tabs = [await open(context), await open(context)];
    for (const { page } of tabs) await goesOn(page);
    begin = await Promise.all(tabs.map(({ page }) => counted(page)));
  });

  const trial = (name, call) =>
    it(`${name}: both tabs go on`, { timeout: 180_000 }, async () => {
      await call();
      for (const { page } of tabs) await goesOn(page);
    });

  trial('the pod is drained and comes back', async () => {
    await pod.program.end('SIGTERM');
    await pod.start();
  });

  trial('the pod is killed and comes back', async () => {
    await pod.program.end('SIGKILL');
    await sleep(3_000);
    await pod.start();
  });

  trial('the pod stands still for longer than the watchdog waits', async () => {
    process.kill(pod.program.pid, 'SIGSTOP');
    await sleep(8_000);
    process.kill(pod.program.pid, 'SIGCONT');
  });

  trial('the machine sleeps', async () => {
    process.kill(-server.process().pid, 'SIGSTOP');
    await sleep(12_000);
    process.kill(-server.process().pid, 'SIGCONT');
  });

  trial('a session ends', () => tabs[0].page.waitForFunction(() => window.heard.reasons.includes('expired'), undefined, WAIT));

  it('every batch was received once, in order, without a gap', async () => {
    for (const { page } of tabs) {
      const { batches, gaps } = await page.evaluate(() => window.heard);
      assert.deepEqual(gaps, []);
      assert.deepEqual(batches, await truth(batches[0][0], batches.at(-1)[0]));
      assert.ok(batches.length > 300, `${batches.length} batches`);
    }
  });

  it('the page counts as many orders as there were', async () => {
    for (const [i, { page }] of tabs.entries()) {
      const end = await counted(page);
      const batches = (await truth(begin[i].receivedAt, end.receivedAt)).slice(1);
      const orders = batches.reduce((sum, [, of]) => sum + of, 0);
      assert.equal(end.received - begin[i].received, orders);
      assert.ok(orders > 1_000, `${orders} orders`);
    }
  });

  it('there was no fault, other host or breach of the policy', () => {
    for (const { faults } of tabs) assert.deepEqual(faults, []);
  });
});
