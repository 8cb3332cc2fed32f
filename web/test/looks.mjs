// The page in Chromium as different people have it: every language, from right
// to left, keyboard only, on paper, as a shop made it. What it looks like in every
// state, size and theme is in states.mjs. Driven by the fake server; needs no livemap.
//
//   node --test test/looks.mjs          (SHOTS=DIR keeps a picture of each)
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { calm, FLAT, layoutFaults, openPage, ORDER_TIP, picture, pointAt, SIZES, startBrowser } from './browser.mjs';
import { contrastFaults } from './contrast.mjs';
import { startFake } from './fake/server.mjs';
import { axeFaults, inspect, resize } from './inspect.mjs';

const shots = process.env.SHOTS;
const WAIT = { timeout: 60_000 };

let browser;
let server;
before(async () => {
  browser = await startBrowser(FLAT);
  server = await startFake({ rate: 200 });
});
after(async () => {
  await browser?.close();
  await server?.close();
});

async function open(query, size = SIZES.laptop) {
  const opened = await openPage(browser, server.url, `/?test=1&flat=1&${query}`, size, undefined, calm);
  await opened.page.waitForFunction(() => document.querySelectorAll('[data-figure] [data-text]').length === 5 && document.querySelector('canvas'), undefined, WAIT);
  return opened;
}

describe('languages', { concurrency: 3 }, () => {
  const title = { en: 'Live commerce', fr: 'Commerce en direct', de: 'Handel live', ja: 'ライブコマース', zh: '实时交易', es: 'Comercio en directo', pt: 'Comércio ao vivo' };
  for (const [language, name] of Object.entries(title))
    it(`${language}: nothing runs out of its place, nothing for axe-core`, { timeout: 120_000 }, async () => {
      const { page, faults } = await open(`lang=${language}`);
      assert.equal(await page.title(), name);
      assert.equal(await page.evaluate(() => document.documentElement.lang), language);
      await picture(page, shots, `looks-${language}`);
      await inspect(page, { themes: 1 });
      assert.deepEqual(faults, []);
      await page.context().close();
    });

  it('from right to left: mirrored, and nothing overlaps', { timeout: 120_000 }, async () => {
    const { page, faults } = await open('dir=rtl');
    const [figures, lists] = await page.evaluate(() => ['.figures', '.lists'].map((s) => document.querySelector(s).getBoundingClientRect().left));
    assert.ok(figures > lists, 'figures stand right of the lists');
    await picture(page, shots, 'looks-rtl');
    await inspect(page, { themes: 1, contrast: true });
    assert.deepEqual(faults, []);
    await page.context().close();
  });

  it('letters of Japanese and Chinese are drawn, not boxes', { timeout: 120_000 }, async () => {
    const { page } = await open('lang=ja');
    const ink = await page.evaluate(() => {
      const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      pen.font = `32px ${getComputedStyle(document.body).fontFamily}`;
      const drawn = (letter) => {
        pen.clearRect(0, 0, 64, 64);
        pen.fillText(letter, 4, 40);
        return pen.getImageData(0, 0, 64, 64).data.join();
      };
      return ['ラ', '京', '易', '\u{10ffff}'].map(drawn);
    });
    assert.equal(new Set(ink).size, 4, 'each letter looks different, and none like a letter that no font has');
    await page.context().close();
  });
});

describe('keyboard', { concurrency: 3 }, () => {
  /** All that can be reached, in the order in which it is, with what shows that it has been. */
  const walk = async (page) => {
    const reached = [];
    await page.evaluate(() => {
      const numbers = new Map();
      window.numberOf = (element) => numbers.get(element) ?? (numbers.set(element, numbers.size), numbers.size - 1);
    });
    for (let i = 0; i < 80; i++) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate(() => {
        const at = document.activeElement;
        if (at === document.body) return undefined;
        // The slider itself is unseen: its track shows where the hand is.
        const shown = at.matches('input[type=range]') ? at.parentElement : at;
        return { place: window.numberOf(at), outlined: getComputedStyle(shown).outlineStyle !== 'none' };
      });
      if (at === undefined || at.place === reached[0]?.place) break;
      reached.push(at);
    }
    return reached;
  };
  const wanted = (page) =>
    page.evaluate(() =>
      [...document.querySelectorAll('button, input, a[href], select, [tabindex]')].flatMap((e) => (e.tabIndex >= 0 && e.checkVisibility({ visibilityProperty: true }) ? [window.numberOf(e)] : [])),
    );

  for (const [name, size] of Object.entries(SIZES))
    it(`reaches everything and shows where it is: ${name}`, { timeout: 120_000 }, async () => {
      const { page } = await open('', size);
      const reached = await walk(page);
      assert.deepEqual(reached.map((r) => r.place).sort((a, b) => a - b), (await wanted(page)).sort((a, b) => a - b));
      assert.deepEqual(reached.filter((r) => !r.outlined), []);
      assert.ok(reached.length >= (name === 'phone' ? 6 : 7), `${reached.length} places`);
      await page.context().close();
    });

  it('goes through the list of countries and stays in it', { timeout: 120_000 }, async () => {
    const { page } = await open('');
    await page.keyboard.press('c');
    await page.waitForSelector('dialog[open]');
    for (let i = 0; i < 6; i++) {
      await page.keyboard.press('Tab');
      assert.ok(await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest('dialog') !== null));
    }
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog', { state: 'detached' });
    await page.context().close();
  });

  it('turns the tabs of a phone with arrows', { timeout: 120_000 }, async () => {
    const { page } = await open('', SIZES.phone);
    await page.focus('#tab-orders');
    await page.keyboard.press('ArrowRight');
    assert.deepEqual(await page.evaluate(() => [document.activeElement.id, document.querySelector('#panel-trending').checkVisibility(), document.querySelector('#panel-orders').checkVisibility()]), ['tab-trending', true, false]);
    await page.context().close();
  });

  it('goes back in time on the slider, changes the speed, and comes back with L', { timeout: 120_000 }, async () => {
    const { page } = await open('');
    await page.focus('input[type=range]');
    for (let i = 0; i < 12; i++) await page.keyboard.press('ArrowLeft');
    await page.waitForFunction(() => document.querySelector('.badge').dataset.badge === 'replay' && document.querySelector('.speeds'), undefined, WAIT);
    await page.focus('.speeds button:nth-child(2)');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelector('.speeds [aria-pressed="true"]')?.textContent === '10×', undefined, WAIT);
    await page.keyboard.press('l');
    await page.waitForFunction(() => document.querySelector('.badge').dataset.badge === 'live', undefined, WAIT);
    await page.context().close();
  });

  it('K is the kiosk and Escape leaves it; T changes the theme', { timeout: 120_000 }, async () => {
    const { page } = await open('');
    const kiosk = () => page.evaluate(() => getComputedStyle(document.querySelector('.tools')).visibility);
    await page.keyboard.press('k');
    assert.equal(await kiosk(), 'hidden');
    await page.keyboard.press('Escape');
    assert.equal(await kiosk(), 'visible');
    const before = await page.evaluate(() => document.documentElement.dataset.theme);
    await page.keyboard.press('t');
    assert.notEqual(await page.evaluate(() => document.documentElement.dataset.theme), before);
    await page.context().close();
  });
});

describe('pointer', { concurrency: 2 }, () => {
  it('names the country and tells the order under the mouse; a click chooses the country', { timeout: 120_000 }, async () => {
    const { page, faults } = await open('');
    const order = await pointAt(page, 'flight');
    assert.match(order.text, ORDER_TIP);
    const country = await pointAt(page, 'country');
    const named = country.text.split('\n')[0];
    await page.mouse.click(country.x, country.y);
    await page.waitForFunction(() => document.querySelector('.page').dataset.scope !== 'world' && document.querySelector('[data-text]'), undefined, WAIT);
    assert.equal((await page.locator('[data-choose] span').first().innerText()).trim(), named);
    assert.deepEqual(faults, []);
    await page.context().close();
  });

  it('tells on a phone the order that was tapped, and lets go of it', { timeout: 120_000 }, async () => {
    const context = await browser.newContext({ viewport: { width: SIZES.phone[0], height: SIZES.phone[1] }, hasTouch: true, isMobile: true, locale: 'en-US', timezoneId: 'UTC' });
    const { page, faults } = await openPage(context, server.url, '/?test=1&flat=1', SIZES.phone, undefined, calm);
    await page.waitForFunction(() => document.querySelectorAll('[data-figure] [data-text]').length === 5 && document.querySelector('canvas'), undefined, WAIT);
    // An order may have landed before it is tapped; then what is tapped is the country.
    let told;
    for (let tries = 0; !told && tries < 10; tries++) {
      const { x, y } = await pointAt(page, 'flight', 12);
      await page.mouse.move(1, 1);
      await page.waitForSelector('[data-tip]', { state: 'detached' });
      await page.touchscreen.tap(x, y);
      told = await page.waitForSelector('[data-tip="flight"]', { timeout: 1_000 }).catch(() => page.keyboard.press('Escape'));
    }
    assert.match(await told.innerText(), ORDER_TIP);
    await page.waitForSelector('[data-tip]', { state: 'detached', ...WAIT });
    assert.deepEqual(faults, []);
    await context.close();
  });
});

it('on paper: black on white, without what cannot be used there', { timeout: 120_000 }, async () => {
  const { page } = await open('');
  await page.emulateMedia({ media: 'print' });
  await resize(page, [1_040, 720]);
  await picture(page, shots, 'looks-print');
  assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('button, input')].filter((e) => e.checkVisibility()).length), 0);
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).color), 'rgb(0, 0, 0)');
  assert.deepEqual(await contrastFaults(page), []);
  await page.context().close();
});

it('a country is chosen by the keyboard, filtered by the server, and left with Escape', { timeout: 120_000 }, async () => {
  const { page, faults } = await open('');
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
  await page.context().close();
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
  await page.context().close();
});

it('gives away a picture of the moment, with the figures in it', { timeout: 120_000 }, async () => {
  const { page, faults } = await open('');
  const [download] = await Promise.all([page.waitForEvent('download', WAIT), page.click('[data-tool="share"]')]);
  assert.match(download.suggestedFilename(), /^livemap-[\dT-]+\.png$/);
  const png = readFileSync(await download.path());
  assert.equal(png.toString('latin1', 1, 4), 'PNG');
  assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [1_920, 1_080]);
  if (shots) await download.saveAs(`${shots}/looks-picture.png`);
  assert.deepEqual(faults, []);
  await page.context().close();
});
