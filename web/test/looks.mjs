// The page in Chromium as different people have it: every size, both themes,
// every language, keyboard only, a screen reader. Driven by the fake
// server; needs no livemap.
//
//   node --test test/looks.mjs          (SHOTS=DIR keeps a picture of each)
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';
import { layoutFaults, openPage, picture, SIZES, startBrowser } from './browser.mjs';
import { contrastFaults } from './contrast.mjs';
import { startFake } from './fake/server.mjs';

const shots = process.env.SHOTS;
const WAIT = { timeout: 60_000 };
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let browser;
let server;
before(async () => {
  browser = await startBrowser();
  server = await startFake({ rate: 200 });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** What axe-core finds: rule and element of each violation. */
async function axeFaults(page) {
  // Not a script of the page: the policy does not concern what the test itself evaluates.
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(' ')} ${node.any[0]?.message ?? node.failureSummary ?? ''}`));
  });
}

async function open(query, size, { ready = true } = {}) {
  const opened = await openPage(browser, server.url, `/?test=1&flat=1&${query}`, size, (text) => /Failed to load resource|ERR_/.test(text));
  if (ready) await opened.page.waitForFunction(() => document.querySelectorAll('[data-figure] [data-text]').length === 5 && document.querySelector('canvas'), undefined, WAIT);
  return opened;
}

for (const theme of ['dark', 'light'])
  for (const [name, size] of Object.entries(SIZES))
    it(`axe-core and contrast: ${theme}, ${name}`, { timeout: 120_000 }, async () => {
      const { page, faults } = await open(`theme=${theme}`, size);
      await page.waitForFunction(() => document.querySelectorAll('.latest li time').length > 3, undefined, WAIT);
      assert.deepEqual(await axeFaults(page), []);
      assert.deepEqual(await contrastFaults(page), []);
      assert.deepEqual(await layoutFaults(page), []);
      await picture(page, shots, `looks-${theme}-${name}`);
      await page.keyboard.press('c');
      await page.waitForSelector('dialog[open]');
      assert.deepEqual(await axeFaults(page), []);
      assert.deepEqual(faults, []);
      await page.close();
    });

describe('states', () => {
  const badge = (page, wanted) => page.waitForFunction((want) => document.querySelector('.badge')?.dataset.badge === want, wanted, WAIT);
  for (const [mode, state] of [['503', 'connecting'], ['401', 'expired'], ['old', 'stale'], ['live', 'paused'], ['drain', 'reconnecting']])
    it(`axe-core: ${state}, large and light, small and dark`, { timeout: 120_000 }, async () => {
      server.state.mode = mode;
      const { page } = await open('', SIZES.laptop, { ready: false });
      if (state === 'paused') {
        await badge(page, 'live');
        await page.keyboard.press(' ');
      }
      await badge(page, state);
      for (const size of [SIZES.laptop, SIZES.phone]) {
        await page.setViewportSize({ width: size[0], height: size[1] });
        await page.click('[data-tool="theme"]');
        assert.deepEqual(await axeFaults(page), [], `${state} at ${size}`);
      }
      server.state.mode = 'live';
      await page.close();
    });
});

describe('languages', () => {
  const title = { en: 'Live commerce', fr: 'Commerce en direct', de: 'Handel live', ja: 'ライブコマース', zh: '实时交易', es: 'Comercio en directo', pt: 'Comércio ao vivo' };
  for (const [language, name] of Object.entries(title))
    it(`${language}: nothing runs out of its place`, { timeout: 120_000 }, async () => {
      const { page, faults } = await open(`lang=${language}`, SIZES.laptop);
      assert.equal(await page.title(), name);
      assert.equal(await page.evaluate(() => document.documentElement.lang), language);
      for (const size of [SIZES.laptop, SIZES.phone]) {
        await page.setViewportSize({ width: size[0], height: size[1] });
        assert.deepEqual(await layoutFaults(page), [], `${size}`);
      }
      assert.deepEqual(faults, []);
      await picture(page, shots, `looks-${language}`);
      await page.close();
    });

  it('from right to left: mirrored, and nothing overlaps', { timeout: 120_000 }, async () => {
    const { page } = await open('dir=rtl', SIZES.laptop);
    const [figures, lists] = await page.evaluate(() => ['.figures', '.lists'].map((s) => document.querySelector(s).getBoundingClientRect().left));
    assert.ok(figures > lists, 'figures stand right of the lists');
    assert.deepEqual(await layoutFaults(page), []);
    await page.setViewportSize({ width: SIZES.phone[0], height: SIZES.phone[1] });
    assert.deepEqual(await layoutFaults(page), []);
    await page.close();
  });
});

describe('keyboard', () => {
  it('reaches everything, and shows where it is', { timeout: 120_000 }, async () => {
    const { page } = await open('', SIZES.laptop);
    const reached = [];
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press('Tab');
      reached.push(
        await page.evaluate(() => {
          const at = document.activeElement;
          const shown = at.matches('input[type=range]') ? at.parentElement : at;
          return [at.dataset.tool ?? (at.matches('[data-choose]') ? 'choose' : at.type ?? at.tagName), getComputedStyle(shown).outlineStyle];
        }),
      );
    }
    const names = reached.map(([name]) => name);
    for (const name of ['pause', 'theme', 'share', 'kiosk', 'choose', 'range']) assert.ok(names.includes(name), `${name} in ${names}`);
    for (const [name, outline] of reached.slice(0, 6)) assert.notEqual(outline, 'none', name);
    await page.close();
  });

  it('K is the kiosk and Escape leaves it; T changes the theme', { timeout: 120_000 }, async () => {
    const { page } = await open('', SIZES.laptop);
    const kiosk = () => page.evaluate(() => getComputedStyle(document.querySelector('.tools')).visibility);
    await page.keyboard.press('k');
    assert.equal(await kiosk(), 'hidden');
    await page.keyboard.press('Escape');
    assert.equal(await kiosk(), 'visible');
    const before = await page.evaluate(() => document.documentElement.dataset.theme);
    await page.keyboard.press('t');
    assert.notEqual(await page.evaluate(() => document.documentElement.dataset.theme), before);
    await page.close();
  });
});

it('a country is chosen by the keyboard, filtered by the server, and left with Escape', { timeout: 120_000 }, async () => {
  const { page, faults } = await open('', SIZES.laptop);
  server.state.addresses.length = 0;
  await page.keyboard.press('c');
  await page.fill('dialog input', 'germ');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('.page').dataset.scope === 'country/DE' && document.querySelector('[data-text]'), undefined, WAIT);
  assert.ok(server.state.addresses.some((a) => a.includes('keys=country/DE')), String(server.state.addresses));
  assert.deepEqual(await axeFaults(page), []);
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.querySelector('.page').dataset.scope === 'world' && document.querySelector('[data-text]'), undefined, WAIT);
  assert.deepEqual(faults, []);
  await page.close();
});

it('is what a shop made of it: name, logo, colours, figures', { timeout: 120_000 }, async () => {
  server.state.branding = { name: 'Acme <b>today</b>', logo: 'icon.svg', theme: 'light', colours: { accent: '#a0105a', near: '#b00020' }, figures: ['orders', 'sales'], language: 'pt-BR', units: 'metric' };
  const { page, faults } = await openPage(browser, server.url, '/?test=1&flat=1', SIZES.laptop);
  await page.waitForFunction(() => document.querySelectorAll('[data-figure] [data-text]').length === 2 && document.querySelector('canvas'), undefined, WAIT);
  await page.waitForFunction(() => document.querySelector('h1 img').complete, undefined, WAIT);
  const seen = await page.evaluate(() => ({
    title: document.querySelector('h1').textContent.trim(),
    logo: document.querySelector('h1 img').naturalWidth > 0,
    theme: document.documentElement.dataset.theme,
    accent: getComputedStyle(document.documentElement).getPropertyValue('--cyan'),
    near: getComputedStyle(document.documentElement).getPropertyValue('--near'),
    figures: [...document.querySelectorAll('[data-figure]')].map((f) => f.dataset.figure),
    language: document.documentElement.lang,
  }));
  assert.deepEqual(seen, { title: 'Acme <b>today</b>', logo: true, theme: 'light', accent: '#a0105a', near: 'rgb(176 0 32)', figures: ['sales', 'orders'], language: 'pt-BR' });
  assert.deepEqual(await layoutFaults(page), []);
  assert.deepEqual(faults, []);
  await picture(page, shots, 'looks-branded');
  server.state.branding = {};
  await page.close();
});

it('gives away a picture of the moment, with the figures in it', { timeout: 120_000 }, async () => {
  const { page, faults } = await open('', SIZES.laptop);
  const [download] = await Promise.all([page.waitForEvent('download', WAIT), page.click('[data-tool="share"]')]);
  assert.match(download.suggestedFilename(), /^livemap-[\dT-]+\.png$/);
  const png = readFileSync(await download.path());
  assert.equal(png.toString('latin1', 1, 4), 'PNG');
  assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [1_920, 1_080]);
  if (shots) await download.saveAs(`${shots}/looks-picture.png`);
  assert.deepEqual(faults, []);
  await page.close();
});
