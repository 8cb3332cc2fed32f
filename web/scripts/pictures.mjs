// Makes the pictures of docs/images anew: what the page shows from a running
// livemap, and each of its states from the fake server.
//
//   npm --prefix web run pictures -- --url http://127.0.0.1:8080      (a demo that has run for a minute)
import { fileURLToPath } from 'node:url';
import { openPage, option, SIZES, startBrowser } from '../test/browser.mjs';
import { startFake } from '../test/fake/server.mjs';

const OUT = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const WAIT = { timeout: 120_000 };
/** Arcs need some seconds to be in the air. */
const FLYING_MS = 7_000;
const HALF = 0.5;

const live = new URL(option('url', 'http://127.0.0.1:8080')).origin;
const badge = (want) => (page) => page.waitForFunction((want) => document.querySelector('.badge')?.dataset.badge === want, want, WAIT);
const shown = (selector) => (page) => page.waitForSelector(selector, WAIT);
const press = (key) => (page) => page.keyboard.press(key);
const then = (page) =>
  page.evaluate(() => {
    const slider = document.querySelector('input[type=range]');
    slider.value = 3_600 - 140;
    for (const type of ['input', 'change']) slider.dispatchEvent(new Event(type, { bubbles: true }));
  });

/** Where, what is done before it is taken, size (laptop), scale (half). */
const PICTURES = {
  'page-laptop': { scale: 1 },
  'page-phone': { size: SIZES.phone, scale: 1 },
  'page-wall': { size: SIZES.wall, scale: 0.25 },
  'page-light': { query: '&theme=light' },
  'page-country': { query: '&country=DE' },
  'page-countries': { act: [press('c')] },
  'page-kiosk': { act: [press('k'), shown('.page.kiosk')] },
  'page-japanese': { query: '&lang=ja' },
  'page-embed': { path: '/embed', size: [960, 600] },
  'page-branded': {
    mode: 'live',
    branding: { name: 'Acme, live', logo: 'icon.svg', theme: 'dark', colours: { accent: '#ff7ac6', near: '#ffd166', middle: '#ff7ac6', far: '#7bdff2', land: '#c8a2ff', background: '#0d0714' }, figures: ['orders', 'shoppers', 'distance_m', 'carbon_g'] },
  },
  'state-connecting': { mode: '503', act: [badge('connecting')] },
  'state-stale': { mode: 'old', act: [badge('stale')] },
  'state-behind': { mode: 'backlog', act: [badge('behind')] },
  'state-reconnecting': { mode: 'away', act: [badge('reconnecting')] },
  'state-gap': { mode: 'gap', act: [shown('[data-gap]')] },
  'state-expired': { mode: 'expired', act: [badge('expired')] },
  'state-refused': { mode: '403', act: [badge('closed')] },
  'state-paused': { mode: 'live', act: [press(' ')] },
  'state-replay': { mode: 'live', act: [then, badge('replay')] },
  'state-moment': { mode: 'moments', act: [shown('[data-moment="milestone"]')] },
  'state-flat': { mode: 'live', query: '&flat=1' },
};

const only = option('only')?.split(',');
const browser = await startBrowser();
for (const [name, { mode, path = '/', query = '', act = [], size = SIZES.laptop, scale = HALF, branding = {} }] of Object.entries(PICTURES)) {
  if (only && !only.includes(name)) continue;
  const fake = mode && (await startFake({ mode, rate: 200 }));
  if (fake) fake.state.branding = branding;
  const context = await browser.newContext({ viewport: { width: size[0], height: size[1] }, deviceScaleFactor: scale, locale: 'en-US', timezoneId: 'UTC' });
  const { page } = await openPage(context, fake?.url ?? live, `${path}?test=1&steady=1&lon=-25${query}`, size, () => true);
  await page.waitForSelector('canvas', WAIT);
  // A demo that has just begun shows an hour in seconds at first.
  if (!fake) await badge('live')(page).then(() => page.reload()).then(() => page.waitForSelector('canvas', WAIT));
  if (!fake || mode === 'live') await page.waitForTimeout(FLYING_MS);
  for (const step of act) await step(page);
  await page.waitForTimeout(act.length > 0 ? 2_000 : 0);
  await page.screenshot({ path: `${OUT}${name}.jpg`, type: 'jpeg', quality: 86, timeout: WAIT.timeout });
  process.stdout.write(`${name}\n`);
  await context.close();
  await fake?.close();
}
await browser.close();
