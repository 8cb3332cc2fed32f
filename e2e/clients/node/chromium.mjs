// Follows a stream in Chromium twice, with the browser's own EventSource and with
// livemap's client module, and writes a line for each event into a file of its
// own: its name, a tab, its data. It ends with its standard input.
//
//	node chromium.mjs ORIGIN QUERY EVENTSOURCE.out MODULE.out
import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { chromium } = createRequire(new URL('../../../web/package.json', import.meta.url))('playwright-core');
const [origin, query, ownFile, moduleFile] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
});
const context = await browser.newContext({ ignoreHTTPSErrors: true });
const open = async (file) => {
  const page = await context.newPage();
  await page.exposeFunction('say', (line) => appendFileSync(file, `${line}\n`));
  await page.goto(`${origin}/v1/topics`);
  return page;
};

const own = await open(ownFile);
await own.evaluate((url) => {
  const source = new EventSource(url);
  for (const name of ['hello', 'numbers', 'gap', 'goodbye']) source.addEventListener(name, (event) => window.say(`${name}\t${event.data}`));
  source.addEventListener('error', () => window.say(`error\t${source.readyState}`));
}, `/v1/events?${query}`);

const ours = await open(moduleFile);
await ours.evaluate(async () => {
  const { connect } = await import('/livemap.js');
  const stream = connect({ topics: ['numbers'], envelope: true, version: 'any' });
  let phase = '';
  stream.onStatus((status) => {
    if (status.phase === 'live' && phase !== 'live') window.say('hello\t');
    phase = status.phase;
  });
  stream.onGap((gap) => window.say(`gap\t${JSON.stringify(gap)}`));
  stream.onLog('numbers', (value, key, { partition, offset }) => window.say(`numbers\t${JSON.stringify({ partition, offset, value })}`));
});

process.stdin.resume();
process.stdin.on('end', async () => {
  await browser.close();
  process.exit(0);
});
