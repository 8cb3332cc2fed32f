// The page in Chromium in every state that a stream can be in, driven by the
// fake server: what it says, and that it can be read and used by everybody, at
// every size and in both themes. Needs no livemap.
//
//   node --test test/states.mjs          (SHOTS=DIR keeps a picture of each)
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startFake } from './fake/server.mjs';
import { calm, FLAT, openPage, picture, SIZES, startBrowser } from './browser.mjs';
import { inspect } from './inspect.mjs';

const shots = process.env.SHOTS;
const WAIT = { timeout: 60_000 };
const refused = (text) => text.includes('Failed to load resource') || text.includes('ERR_');

let browser;
before(async () => (browser = await startBrowser(FLAT)));
after(() => browser?.close());

const badge = (page, state) => page.waitForFunction((want) => document.querySelector('.badge')?.dataset.badge === want, state, WAIT);
const badgeText = (page) => page.evaluate(() => document.querySelector('.badge').textContent.trim());
const figures = (page) => page.waitForFunction(() => document.querySelectorAll('[data-figure] [data-text]').length === 5, undefined, WAIT);
const numbers = (page) => page.evaluate(() => document.querySelectorAll('[data-figure] [data-text]').length);
const emittedAt = (page) => page.evaluate(() => document.querySelector('[data-figure]').dataset.emittedAt);

/**
 * A test of the page on a stream in some mode. `check` brings the page into the
 * state and says what must be true of it; then it is looked at.
 */
function state(name, mode, check, { look = {}, ...more } = {}) {
  it(name, { timeout: 180_000 }, async () => {
    const server = await startFake({ mode, rate: 200 });
    const { page, faults } = await openPage(browser, server.url, more.path ?? '/?test=1&flat=1', SIZES.laptop, more.allow, calm);
    try {
      await page.waitForSelector('canvas', { state: 'attached', ...WAIT });
      await check(page, server);
      await picture(page, shots, `state-${more.picture ?? mode}`);
      if (look) {
        const before = await page.evaluate(() => document.querySelector('.badge').dataset.badge);
        await inspect(page, look);
        assert.equal(await page.evaluate(() => document.querySelector('.badge').dataset.badge), before, 'the state while it was looked at');
      }
      assert.deepEqual(faults, []);
    } finally {
      await page.context().close();
      await server.close();
    }
  });
}

// Much of the time they wait.
describe('states', { concurrency: 3 }, () => {
  state('connecting shows no zeros', '503', async (page) => {
    await badge(page, 'connecting');
    assert.equal(await numbers(page), 0);
    assert.doesNotMatch(await page.evaluate(() => document.querySelector('.figures').textContent), /\d/);
  }, { allow: refused });

  state('overload: connecting, with a countdown', 'overload', async (page) => {
    await badge(page, 'connecting');
    assert.equal(await numbers(page), 0);
  });

  state('quiet: connected, and still no zeros', 'quiet', async (page) => {
    await badge(page, 'live');
    assert.equal(await numbers(page), 0);
  });

  state('zeros: nothing is sold', 'zeros', async (page) => {
    await figures(page);
    assert.equal(await page.evaluate(() => document.querySelector('[data-figure="orders"] [data-text]').textContent), '0');
  });

  state('live', 'live', async (page) => {
    await badge(page, 'live');
    await figures(page);
    await page.waitForFunction(() => document.querySelectorAll('.latest li time').length > 3 && Number(document.querySelector('[data-sampling]').dataset.shown) > 0, undefined, WAIT);
    assert.equal(await page.evaluate(() => document.querySelector('[data-globe]').dataset.globe), 'flat');
  }, { picture: 'flat', look: { contrast: true } });

  state('trickle: bytes cut anywhere, also inside a character', 'trickle', async (page) => {
    await figures(page);
    await page.waitForFunction(() => /Łódź|東京|São Paulo/.test(document.querySelector('.latest').textContent), undefined, WAIT);
  }, { look: false });

  state('stall: figures dim, and the connection is replaced', 'stall', async (page, server) => {
    await figures(page);
    await page.waitForFunction(() => document.querySelector('.page').classList.contains('stale'), undefined, WAIT);
    await page.waitForFunction(() => ['stale', 'reconnecting'].includes(document.querySelector('.badge').dataset.badge), undefined, WAIT);
    server.state.mode = 'live';
    await badge(page, 'live');
    assert.ok(server.state.connections >= 2);
  }, { look: false });

  state('drop: comes back by itself with the last id', 'drop', async (page, server) => {
    await figures(page);
    await badge(page, 'reconnecting');
    await badge(page, 'live');
    assert.equal(server.state.ids[0], '');
    assert.match(server.state.ids[1], /^at-\d+$/);
  }, { allow: refused, look: false });

  state('reconnecting: goodbye, a countdown, and the figures of before', 'away', async (page) => {
    await badge(page, 'reconnecting');
    await page.waitForFunction(() => /^Reconnecting in \d+ s/.test(document.querySelector('.badge').textContent.trim()), undefined, WAIT);
    assert.equal(await numbers(page), 5);
  }, { allow: refused, look: { contrast: true } });

  state('reconnecting: tried at once when asked to', 'away', async (page, server) => {
    await badge(page, 'reconnecting');
    // Between two attempts of its own, and in one step: the next may be close.
    await page.waitForSelector('.retry', WAIT);
    server.state.mode = 'live';
    await page.evaluate(() => document.querySelector('.retry').click());
    await badge(page, 'live');
  }, { allow: refused, look: false });

  state('offline: nobody answers', 'live', async (page, server) => {
    await figures(page);
    await server.leave();
    await badge(page, 'reconnecting');
    await page.waitForFunction(() => document.querySelector('.page').classList.contains('stale'), undefined, WAIT);
  }, { allow: refused, picture: 'offline' });

  state('expired: says so, and tries again only when asked to', 'expired', async (page, server) => {
    await badge(page, 'expired');
    const before = server.state.connections;
    server.state.mode = 'live';
    await page.click('.retry');
    await badge(page, 'live');
    assert.equal(server.state.connections, before + 1);
  }, { allow: refused, look: false });

  state('expired: the figures that were there are dim', 'expired', async (page) => {
    await badge(page, 'expired');
    assert.equal(await numbers(page), 5);
  }, { allow: refused });

  state('401: signed out, no retry', '401', async (page, server) => {
    await badge(page, 'expired');
    assert.equal(await numbers(page), 0);
    assert.equal(server.state.connections, 1);
  }, { allow: refused });

  state('403: refused for good', '403', (page) => badge(page, 'closed'), { allow: refused });

  state('gap: is told', 'gap', (page) => page.waitForSelector('[data-gap="slow"]', WAIT));

  state('old: figures dim and say their age', 'old', async (page) => {
    await badge(page, 'stale');
    assert.match(await badgeText(page), /^Data \d+ (s|min) old$/);
  }, { look: { contrast: true } });

  state('backlog: catching up, and how far behind', 'backlog', async (page) => {
    await badge(page, 'behind');
    assert.match(await badgeText(page), /3 min/);
  });

  state('moments: a milestone', 'moments', async (page) => {
    await page.waitForSelector('[data-moment="milestone"]', WAIT);
    assert.match(await page.evaluate(() => document.querySelector('[data-moment]').textContent), /1,000,000 orders/);
  });

  state('replay: an amber frame, windows of then, three speeds, and back', 'live', async (page) => {
    await figures(page);
    await page.evaluate(() => {
      const slider = document.querySelector('input[type=range]');
      slider.value = 3_600 - 140;
      for (const type of ['input', 'change']) slider.dispatchEvent(new Event(type, { bubbles: true }));
    });
    await badge(page, 'replay');
    await figures(page);
    assert.ok(Date.now() - Date.parse(await emittedAt(page)) > 60_000, 'the figures are of then');
    assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('.page'), '::after').borderTopStyle), 'solid');
    await picture(page, shots, 'state-replay');
    await inspect(page, { contrast: true });
    for (const speed of ['10×', '60×']) {
      await page.click(`.speeds button:text-is("${speed}")`);
      await page.waitForFunction((speed) => document.querySelector('.speeds [aria-pressed="true"]')?.textContent === speed || document.querySelector('.badge').dataset.badge === 'live', speed, WAIT);
    }
    await badge(page, 'live'); // at 60x the present is soon reached
    assert.equal(await page.evaluate(() => document.querySelector('.speeds')), null);
  }, { picture: 'after-replay', look: false });

  for (const mode of ['hostile', 'names', 'huge'])
    state(`${mode}: stays text, and in its place`, mode, async (page) => {
      await figures(page);
      await page.waitForFunction(() => document.querySelectorAll('.latest li').length > 3, undefined, WAIT);
      assert.equal(await page.title(), 'Live commerce');
      assert.equal(await page.evaluate(() => document.querySelectorAll('main img, main script, main b > x').length), 0);
      if (mode === 'hostile') assert.match(await page.evaluate(() => document.querySelector('.latest .title').textContent), /^<img src=x/);
    });

  state('pause holds the figures, and the space bar lets them go on', 'live', async (page, server) => {
    await figures(page);
    await page.keyboard.press(' ');
    await badge(page, 'paused');
    const held = await emittedAt(page);
    const sent = server.state.log.latest.get('metrics').seq;
    await inspect(page, { contrast: true });
    assert.ok(server.state.log.latest.get('metrics').seq > sent, 'new figures were sent meanwhile');
    assert.equal(await emittedAt(page), held);
    await page.keyboard.press(' ');
    await page.waitForFunction((then) => document.querySelector('[data-figure]').dataset.emittedAt !== then, held, WAIT);
  }, { picture: 'paused', look: false });

  state('kiosk: nothing but the map', 'live', async (page) => {
    await figures(page);
    await page.keyboard.press('k');
    assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('.tools')).visibility), 'hidden');
  }, { picture: 'kiosk' });

  state('the list of countries', 'live', async (page) => {
    await figures(page);
    await page.keyboard.press('c');
    await page.waitForSelector('dialog[open]', WAIT);
  }, {
    picture: 'countries',
    look: {
      turn: async (page) => {
        await page.keyboard.press('Escape');
        await page.waitForSelector('dialog', { state: 'detached', ...WAIT }); // not only closed: until then it is the list that C would open
        await page.keyboard.press('t');
        await page.keyboard.press('c');
        await page.waitForSelector('dialog[open]', WAIT);
      },
    },
  });

  for (const [mode, want] of Object.entries({ live: 'live', 503: 'connecting', old: 'stale', 401: 'expired', away: 'reconnecting' }))
    for (const theme of ['dark', 'light'])
      state(`embed, ${theme}: ${want}`, mode, (page) => badge(page, want), {
        path: `/embed?test=1&flat=1&theme=${theme}`, allow: refused, picture: `embed-${theme}-${want}`,
        look: { sizes: { square: [480, 480], small: [320, 300], wide: [900, 420] }, themes: 1 },
      });
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
