// What the page costs at 5,000 orders a second, in Chromium without a GPU. What
// depends on the machine is printed; counts and the order of events are tested.
//
//   node --test test/cost.mjs             (SECONDS=60 for better figures)
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openPage, SIZES, startBrowser } from './browser.mjs';
import { startFake } from './fake/server.mjs';
import { Meter } from './meter.mjs';

const WAIT = { timeout: 120_000, polling: 50 };
const RATE = 5_000;
const SECONDS = Number(process.env.SECONDS ?? 6);
const WARM_UP_MS = 5_000;
const figures = () => document.querySelectorAll('[data-figure] [data-text]').length >= 5;

let browser;
let server;
before(async () => {
  browser = await startBrowser();
  server = await startFake({ rate: RATE });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

describe(`at ${RATE} orders a second`, { concurrency: false }, () => {
  for (const [name, path] of Object.entries({ globe: '/?steady=1', 'flat map': '/?flat=1' }))
    it(`the page with the ${name} hears every order, in few draws and constant nodes`, { timeout: 180_000 }, async (t) => {
      const { page, faults } = await openPage(browser, server.url, path, SIZES.laptop);
      await page.waitForFunction(figures, undefined, WAIT);
      await page.waitForTimeout(WARM_UP_MS);
      const meter = await Meter.of(page);
      const counted = () => page.evaluate(() => ({ ...document.querySelector('[data-sampling]').dataset }));
      const before = { ...(await meter.held()), ...(await counted()) };
      const { script, tasks, long } = await meter.load(SECONDS * 1_000);
      const after = { ...(await meter.held()), ...(await counted()) };
      const sent = server.state.log.entries.filter((e) => e.topic === 'shipments' && e.record.emitted_at > before.receivedAt && e.record.emitted_at <= after.receivedAt);
      const orders = sent.reduce((sum, e) => sum + e.record.of, 0);
      t.diagnostic(`${Math.round(orders / SECONDS)} orders/s: script ${script.toFixed(1)} ms/s, main thread ${tasks.toFixed(1)} ms/s, ${long.length} tasks over 50 ms${long.length ? `, the longest ${Math.max(...long)} ms` : ''}, heap ${(after.heap / 1e6).toFixed(1)} MB, ${after.nodes} nodes`);
      assert.equal(after.received - before.received, orders);
      assert.ok(orders > 0);
      assert.ok(Math.abs(after.nodes - before.nodes) <= 150, `${before.nodes} nodes, later ${after.nodes}`);
      const draws = await page.evaluate(() => document.querySelector('canvas').dataset.draws);
      assert.ok(draws === undefined || Number(draws) <= 6, `${draws} draws`);
      assert.deepEqual(faults, []);
      await page.close();
    });
});
