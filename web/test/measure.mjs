// What the page costs a browser, in one line for machines.
//
//   node test/measure.mjs [--rate 5000] [--seconds 30]
//
// Prints script and task milliseconds of the main thread per second, tasks over
// 50 ms after ten seconds of warming up, draw calls a frame, and how heap (after
// a collection) and DOM nodes change per minute. The stream is that of the fake
// server, so nothing but the page is measured (steady: a busy machine would be given the flat map). WebGL is software here: frames per
// second say nothing.
import { openPage, option, SIZES, startBrowser } from './browser.mjs';
import { startFake } from './fake/server.mjs';

const seconds = Number(option('seconds', 30));
const server = await startFake({ rate: Number(option('rate', 5_000)) });
const browser = await startBrowser(['--js-flags=--expose-gc']);
const { page } = await openPage(browser, server.url, '/?steady=1', SIZES.laptop);
await page.waitForFunction(() => document.querySelector('canvas')?.dataset.draws !== undefined, undefined, { timeout: 60_000 });
await page.waitForTimeout(10_000);
const cdp = await page.context().newCDPSession(page);
await cdp.send('Performance.enable');
await page.evaluate(() => {
  window.long = 0;
  new PerformanceObserver((list) => (window.long += list.getEntries().length)).observe({ entryTypes: ['longtask'] });
});

async function metrics() {
  await cdp.send('HeapProfiler.collectGarbage');
  const { metrics } = await cdp.send('Performance.getMetrics');
  return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
}

const before = await metrics();
await page.waitForTimeout(seconds * 1_000);
const after = await metrics();
const took = after.Timestamp - before.Timestamp;
const per = (name, unit = 1_000) => (((after[name] - before[name]) * unit) / took).toFixed(1);
const { long, draws } = await page.evaluate(() => ({ long: window.long, draws: document.querySelector('canvas').dataset.draws }));
process.stdout.write(
  `script_ms_per_s=${per('ScriptDuration')} task_ms_per_s=${per('TaskDuration')} long_tasks=${long} draws=${draws} ` +
    `heap_kib_per_min=${per('JSHeapUsedSize', 60 / 1_024)} nodes_per_min=${per('Nodes', 60)} heap_mib=${(after.JSHeapUsedSize / 2 ** 20).toFixed(1)}\n`,
);
await browser.close();
await server.close();
