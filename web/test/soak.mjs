// Whether the page is as light after a long time as at first: heap and nodes
// after garbage collections, a sample every half minute.
//
//   npm --prefix web run soak [-- --minutes 10 --rate 5000 --url http://…]
//
// Without --url it runs on the fake server. Prints each sample and the slopes,
// and exits with 1 where the heap grows by 50 KB a minute or more, or the nodes do.
import { openPage, option, SIZES, startBrowser } from './browser.mjs';
import { startFake } from './fake/server.mjs';
import { Meter, slope } from './meter.mjs';

const MINUTES = Number(option('minutes', 10));
const EVERY_MS = 30_000;
/** The engine compiles and learns for a while; only what comes after that can be a leak. */
const WARM_UP_MS = 120_000;
const MAX_KB_A_MINUTE = 50;

const server = option('url') ? undefined : await startFake({ rate: Number(option('rate', 5_000)) });
const browser = await startBrowser();
try {
  const { page, faults } = await openPage(browser, new URL(option('url') ?? server.url).origin, '/', SIZES.laptop);
  await page.waitForTimeout(WARM_UP_MS);
  const meter = await Meter.of(page);
  const samples = [];
  const began = Date.now();
  for (let i = 0; i <= (MINUTES * 60_000) / EVERY_MS; i++) {
    if (i > 0) await page.waitForTimeout(Math.max(0, began + i * EVERY_MS - Date.now()));
    const { heap, nodes } = await meter.held();
    samples.push([(Date.now() - began) / 60_000, heap / 1_000, nodes]);
    console.log(`${samples.at(-1)[0].toFixed(1)} min: heap ${(heap / 1_000).toFixed(0)} KB, ${nodes} nodes`);
  }
  const heap = slope(samples.map(([x, y]) => [x, y]));
  const nodes = slope(samples.map(([x, , y]) => [x, y]));
  console.log(`soak minutes=${MINUTES} heap_kb_per_min=${heap.toFixed(1)} nodes_per_min=${nodes.toFixed(2)} faults=${faults.length}`);
  for (const fault of faults) console.log(fault);
  if (heap >= MAX_KB_A_MINUTE || Math.abs(nodes) >= 5 || faults.length > 0) process.exitCode = 1;
} finally {
  await browser.close();
  await server?.close();
}
