// The page in Chromium in every state that a stream can be in, driven by the
// fake server. Needs no livemap.
//
//   node --test test/states.mjs          (SHOTS=DIR keeps a picture of each)
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startFake } from './fake/server.mjs';
import { layoutFaults, openPage, picture, SIZES, startBrowser } from './browser.mjs';

const shots = process.env.SHOTS;
const WAIT = { timeout: 60_000 };

let browser;
before(async () => (browser = await startBrowser()));
after(() => browser?.close());

/** Opens the page on a stream in the given mode, runs the check, and looks for faults. */
async function inState(mode, check, { path = '/?test=1', size = SIZES.laptop, allow } = {}) {
  const server = await startFake({ mode, rate: 200 });
  const { page, faults } = await openPage(browser, server.url, path, size, allow);
  try {
    await check(page, server);
    await picture(page, shots, `state-${mode}`);
    assert.deepEqual(faults, []);
  } finally {
    await page.close();
    await server.close();
  }
}

const badge = (page, state) => page.waitForFunction((want) => document.querySelector('.badge')?.dataset.badge === want, state, WAIT);
const badgeText = (page) => page.evaluate(() => document.querySelector('.badge').textContent.trim());
const figures = (page) => page.waitForFunction(() => document.querySelectorAll('[data-figure] [data-text]').length === 5, undefined, WAIT);
const numbers = (page) => page.evaluate(() => document.querySelectorAll('[data-figure] [data-text]').length);
const refused = (text) => text.includes('Failed to load resource') || text.includes('ERR_');

describe('states', { concurrency: false }, () => {
  it('connecting shows no zeros', () =>
    inState('503', async (page) => {
      await badge(page, 'connecting');
      assert.equal(await numbers(page), 0);
      assert.doesNotMatch(await page.evaluate(() => document.querySelector('.figures').textContent), /\d/);
    }, { allow: refused }));

  it('quiet: connected, and still no zeros', () =>
    inState('quiet', async (page) => {
      await badge(page, 'live');
      assert.equal(await numbers(page), 0);
    }));

  it('trickle: bytes cut anywhere, also inside a character', () =>
    inState('trickle', async (page) => {
      await figures(page);
      await page.waitForFunction(() => /Łódź|東京|São Paulo/.test(document.querySelector('.latest').textContent), undefined, WAIT);
    }));

  it('stall: figures dim, and the connection is replaced', () =>
    inState('stall', async (page, server) => {
      await figures(page);
      await page.waitForFunction(() => document.querySelector('.page').classList.contains('stale'), undefined, WAIT);
      await page.waitForFunction(() => ['stale', 'reconnecting'].includes(document.querySelector('.badge').dataset.badge), undefined, WAIT);
      server.state.mode = 'live';
      await badge(page, 'live');
      assert.ok(server.state.connections >= 2);
    }));

  it('drop: comes back by itself with the last id', () =>
    inState('drop', async (page, server) => {
      await figures(page);
      await badge(page, 'reconnecting');
      await badge(page, 'live');
      assert.equal(server.state.ids[0], '');
      assert.match(server.state.ids[1], /^at-\d+$/);
    }, { allow: refused }));

  it('drain: goodbye, a countdown, and back', () =>
    inState('drain', async (page) => {
      await badge(page, 'reconnecting');
      assert.match(await badgeText(page), /^Reconnecting/);
      await badge(page, 'live');
    }));

  it('expired: says so, and tries again only when asked to', () =>
    inState('expired', async (page, server) => {
      await badge(page, 'expired');
      const before = server.state.connections;
      server.state.mode = 'live';
      await page.click('.retry');
      await badge(page, 'live');
      assert.equal(server.state.connections, before + 1);
    }, { allow: refused }));

  it('401: signed out, no retry', () =>
    inState('401', async (page, server) => {
      await badge(page, 'expired');
      assert.equal(await numbers(page), 0);
      assert.equal(server.state.connections, 1);
    }, { allow: refused }));

  it('gap: is told', () => inState('gap', (page) => page.waitForFunction(() => document.querySelector('[data-gap="slow"]'), undefined, WAIT)));

  it('old: figures dim and say their age', () =>
    inState('old', async (page) => {
      await badge(page, 'stale');
      assert.match(await badgeText(page), /^Data \d+ (s|min) old$/);
    }));

  it('hostile names and numbers stay text', () =>
    inState('hostile', async (page) => {
      await figures(page);
      await page.waitForFunction(() => document.querySelectorAll('.latest li').length > 3, undefined, WAIT);
      await page.waitForFunction(() => document.querySelector('canvas'), undefined, WAIT); // the globe comes after the figures
      assert.equal(await page.title(), 'Live commerce');
      assert.equal(await page.evaluate(() => document.querySelectorAll('main img, main script, main b > x').length), 0);
      assert.match(await page.evaluate(() => document.querySelector('.latest .title').textContent), /^<img src=x/);
      assert.deepEqual(await layoutFaults(page), []);
    }));

  it('flat: a map where there is no WebGL', () =>
    inState('live', async (page) => {
      await figures(page);
      await page.waitForFunction(() => document.querySelector('[data-globe="flat"] canvas'), undefined, WAIT);
      await page.waitForFunction(() => Number(document.querySelector('[data-sampling]').dataset.shown) > 0, undefined, WAIT);
      await picture(page, shots, 'state-flat');
    }, { path: '/?test=1&flat=1' }));

  it('pause holds the figures, and the space bar lets them go on', () =>
    inState('live', async (page) => {
      await figures(page);
      await page.keyboard.press(' ');
      const at = () => page.evaluate(() => document.querySelector('[data-figure]').dataset.emittedAt);
      const held = await at();
      await page.waitForTimeout(2_500);
      assert.equal(await at(), held);
      await page.keyboard.press(' ');
      await page.waitForFunction((then) => document.querySelector('[data-figure]').dataset.emittedAt !== then, held, WAIT);
    }));
});

it('eight tabs share one connection', { timeout: 120_000 }, async () => {
  const server = await startFake({ mode: 'live', rate: 50 });
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
  try {
    for (let i = 0; i < 8; i++) {
      const page = await context.newPage();
      await page.goto(`${server.url}/?test=1&flat=1`);
      await figures(page);
    }
    assert.equal(server.state.open, 1);
    assert.equal(server.state.connections, 1);
  } finally {
    await context.close();
    await server.close();
  }
});
