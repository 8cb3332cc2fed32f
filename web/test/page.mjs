// The page in Chromium against a running livemap: each figure's text equals the
// stream's value, and the page does nothing that it should not do.
//
//   node test/page.mjs --url http://127.0.0.1:8080 [--shots DIR]
//
// Prints a line per check (TAP when piped) and exits with 1 if one fails.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { FLAT, layoutFaults, openPage, option, picture, pointAt, SIZES, startBrowser } from './browser.mjs';
import { contrastFaults } from './contrast.mjs';
import { expected, Witness } from './stream.mjs';

const origin = new URL(option('url', 'http://127.0.0.1:8080')).origin;
const shots = option('shots');
const FIGURES = ['sales', 'orders', 'shoppers', 'distance_m', 'carbon_g'];
const WAIT = { timeout: 60_000 };

/** What the page may cost a network: files, and bytes as they travel. */
const BUDGET = { files: 10, scriptsFirst: 56_000, bytesFirst: 125_000, scripts: 220 << 10, globe: 156_000, file: 50_000 };

let browser; // without WebGL, for all that is not about the globe
let drawing; // with it
let witness;
before(async () => {
  witness = new Witness(origin);
  [browser, drawing] = await Promise.all([startBrowser(FLAT), startBrowser()]);
});
after(async () => {
  await Promise.all([browser?.close(), drawing?.close()]);
  await witness?.close();
}, { timeout: 60_000 });

/** All figures and the record they are of, read in one go. */
function readFigures(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll('[data-figure]')].map((section) => ({
      figure: section.dataset.figure,
      text: section.querySelector('[data-text]').textContent,
      emittedAt: section.dataset.emittedAt,
      windowEnd: section.dataset.windowEnd,
    })),
  );
}

async function live(path, size, by = browser) {
  const opened = await openPage(by, origin, path, size);
  await opened.page.waitForFunction(() => document.querySelectorAll('[data-figure] [data-text]').length === 5, undefined, WAIT);
  return opened;
}

describe('figures', () => {
  let page;
  let faults;
  before(async () => ({ page, faults } = await live('/?test=1&flat=1', SIZES.laptop)));
  after(async () => page?.close());

  it('equal the stream, five records in a row', async () => {
    for (let round = 0; round < 5; round++) {
      const figures = await readFigures(page);
      assert.deepEqual(figures.map((f) => f.figure), FIGURES);
      const record = await witness.record('metrics', figures[0].emittedAt);
      for (const { figure, text, emittedAt, windowEnd } of figures) {
        assert.equal(emittedAt, record.emitted_at);
        assert.equal(windowEnd, record.window_end);
        assert.equal(text, expected(figure, record[figure], record.currency), `${figure} of ${record.window_end}`);
      }
      await page.waitForFunction((last) => document.querySelector('[data-figure]').dataset.emittedAt !== last, figures[0].emittedAt, WAIT);
    }
  });

  it('have totals that equal the stream', async () => {
    const { emittedAt, orders, values } = await page.evaluate(() => {
      const totals = document.querySelector('[data-totals]');
      return {
        emittedAt: totals.dataset.emittedAt,
        orders: totals.querySelector('[data-total="orders"]').textContent.trim(),
        values: Object.fromEntries([...totals.querySelectorAll('[data-total]')].map((e) => [e.dataset.total, Number(e.dataset.value)])),
      };
    });
    const { total } = await witness.record('metrics', emittedAt);
    assert.equal(orders, expected('orders', total.orders));
    for (const [name, value] of Object.entries(values)) assert.equal(value, total[name], name);
  });

  it('have the trending products of the stream', async (t) => {
    await page.waitForFunction(() => document.querySelector('[data-trending]').dataset.emittedAt !== undefined, undefined, WAIT);
    const { emittedAt, rows } = await page.evaluate(() => {
      const list = document.querySelector('[data-trending]');
      return {
        emittedAt: list.dataset.emittedAt,
        rows: [...list.querySelectorAll('li[data-product]')].map((li) => [
          li.dataset.product, li.querySelector('.title').textContent, li.querySelector('.units').textContent, li.querySelector('[data-change]').textContent,
        ]),
      };
    });
    const { items } = await witness.record('trending', emittedAt);
    const sign = (change) => (change > 0 ? '▲' : change < 0 ? '▼' : '');
    assert.deepEqual(
      rows,
      items.map((i) => [i.product, i.title, `${i.units.toLocaleString('en-US')} in 5 min`, `${sign(i.change)} ${Math.abs(i.change).toLocaleString('en-US')}%`]),
    );
    t.diagnostic(`${rows.length} products`);
  });

  it('list latest orders, and say how many are shown', async () => {
    await page.waitForFunction(() => document.querySelectorAll('.latest li time').length > 3, undefined, WAIT);
    await page.waitForFunction(() => /^Showing [\d,]+ of [\d,]+ orders/.test(document.querySelector('[data-sampling]').textContent.trim()), undefined, WAIT);
    const { shown, of } = await page.evaluate(() => ({ ...document.querySelector('[data-sampling]').dataset }));
    assert.ok(Number(shown) <= Number(of), `${shown} of ${of}`);
  });

  it('stand beside a badge that says live, with the latency', async () => {
    await page.waitForFunction(() => /\d (ms|s)$/.test(document.querySelector('[data-latency]')?.textContent ?? ''), undefined, WAIT);
    assert.equal(await page.evaluate(() => document.querySelector('.badge').dataset.badge), 'live');
  });

  it('come without an error, another host or a breach of the policy', () => assert.deepEqual(faults, []));
});

describe('locales', { concurrency: 3 }, () => {
  for (const locale of ['fr-FR', 'de-DE', 'ja-JP', 'zh-CN', 'es-MX', 'pt-BR', 'en-GB'])
    it(`${locale}: every figure's text equals the stream's`, async () => {
      const { page, faults } = await live(`/?test=1&flat=1&lang=${locale}`, SIZES.laptop);
      const figures = await readFigures(page);
      const record = await witness.record('metrics', figures[0].emittedAt);
      for (const { figure, text } of figures) assert.equal(text, expected(figure, record[figure], record.currency, locale), figure);
      assert.deepEqual(faults, []);
      await page.close();
    });
});

it('a country: its own figures, filtered by the server, and back to the world', { timeout: 120_000 }, async () => {
  const { page, faults } = await live('/?test=1&flat=1&country=DE', SIZES.laptop);
  const country = new Witness(origin, 'metrics', 'country/DE');
  try {
    await page.waitForFunction((last) => document.querySelector('[data-figure]').dataset.emittedAt !== last, (await readFigures(page))[0].emittedAt, WAIT);
    const figures = await readFigures(page);
    const record = await country.record('metrics', figures[0].emittedAt);
    assert.equal(record.scope, 'country/DE');
    for (const { figure, text } of figures) assert.equal(text, expected(figure, record[figure], record.currency), figure);
    await page.click('[data-back]');
    await page.waitForFunction(() => document.querySelector('.page').dataset.scope === 'world' && document.querySelectorAll('[data-text]').length === 5, undefined, WAIT);
    const world = await readFigures(page);
    assert.equal((await witness.record('metrics', world[0].emittedAt)).scope, 'world');
    await picture(page, shots, 'country');
    assert.deepEqual(faults, []);
  } finally {
    await country.close();
    await page.close();
  }
});

it('replays a time that has passed, in an amber frame, from final windows, and comes back to live', { timeout: 180_000 }, async () => {
  const { page, faults } = await live('/?test=1&flat=1', SIZES.laptop);
  const requests = [];
  page.on('request', (request) => requests.push(decodeURIComponent(request.url())));
  await page.evaluate(() => {
    const slider = document.querySelector('input[type=range]');
    slider.value = 3_600 - 40;
    for (const type of ['input', 'change']) slider.dispatchEvent(new Event(type, { bubbles: true }));
  });
  await page.waitForFunction(() => document.querySelector('.badge').dataset.badge === 'replay' && document.querySelector('[data-text]'), undefined, { timeout: 120_000 });
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('.page'), '::after').borderTopStyle), 'solid');
  const figures = await readFigures(page);
  const asked = requests.find((url) => url.includes('topics=windows'));
  assert.match(asked, /since=.*until=/);
  const windows = new Witness(origin, `windows&since=${new Date(Date.parse(figures[0].emittedAt) - 5_000).toISOString()}`);
  const record = await windows.record('windows', figures[0].emittedAt, figures[0].windowEnd);
  for (const { figure, text } of figures) assert.equal(text, expected(figure, record[figure], record.currency), figure);
  await windows.close();
  await picture(page, shots, 'replay');
  await page.click('[data-live]');
  await page.waitForFunction(() => document.querySelector('.badge').dataset.badge === 'live', undefined, WAIT);
  assert.deepEqual(faults, []);
  await page.close();
});

/** Notes, before anything else runs, when the first figure is there and what moved without having been asked to: rows of lists are meant to. */
const noteFirsts = (page) =>
  page.addInitScript(() => {
    window.shifts = [];
    new PerformanceObserver((list) => {
      for (const e of list.getEntries())
        if (!e.hadRecentInput && !e.sources.every(({ node }) => node?.closest?.('li'))) window.shifts.push(`${e.value.toFixed(5)} ${e.sources.map(({ node, previousRect: a, currentRect: b }) => `${node?.parentElement?.className} ${node?.nodeName} ${a.x},${a.y},${a.width},${a.height} -> ${b.x},${b.y},${b.width},${b.height}`).join('; ')}`);
    }).observe({ type: 'layout-shift', buffered: true });
    new MutationObserver((_, observer) => {
      if (!document.querySelector('[data-figure] [data-text]')) return;
      window.firstFigure ??= Math.round(performance.now());
      observer.disconnect();
    }).observe(document, { childList: true, subtree: true });
  });

describe('budget', () => {
  it('little is fetched before the first figure, and nothing of the globe has to be', { timeout: 120_000 }, async (t) => {
    const context = await drawing.newContext();
    let letGo;
    const held = new Promise((resolve) => (letGo = resolve));
    await context.route(/assets\/globe-/, async (route) => {
      await held;
      await route.continue();
    });
    const fetched = new Map();
    const { page, faults } = await openPage(context, origin, '/', SIZES.laptop, undefined, async (page) => {
      await noteFirsts(page);
      const session = await context.newCDPSession(page);
      await session.send('Network.enable');
      const asked = new Map();
      session.on('Network.requestWillBeSent', ({ requestId, request }) => asked.set(requestId, new URL(request.url).pathname));
      session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => fetched.set(asked.get(requestId), encodedDataLength));
    });
    await page.waitForFunction(() => window.firstFigure !== undefined, undefined, WAIT);
    const before = new Map(fetched);
    const bytes = (end) => [...before].filter(([path]) => path.endsWith(end)).reduce((sum, [, n]) => sum + n, 0);
    t.diagnostic(`first figure ${await page.evaluate(() => window.firstFigure)} ms after the navigation began; before it ${before.size} files, ${bytes('')} bytes, ${bytes('.js')} of scripts: ${[...before.keys()].join(' ')}`);
    assert.ok(before.size <= BUDGET.files, `${before.size} files`);
    assert.ok(bytes('.js') <= BUDGET.scriptsFirst, `${bytes('.js')} bytes of scripts`);
    assert.ok(bytes('') <= BUDGET.bytesFirst, `${bytes('')} bytes`);
    assert.equal(await page.evaluate(() => document.querySelector('canvas')), null);
    letGo();
    await page.waitForFunction(() => document.querySelector('canvas')?.dataset.draws !== undefined, undefined, WAIT);
    assert.deepEqual(faults, []);
    await context.close();
  });

  it('all scripts together, compressed; every file with its age, and none from elsewhere', { timeout: 120_000 }, async () => {
    const files = ['', 'embed', 'livemap.js', 'icon.svg', ...readdirSync(new URL('../dist/assets', import.meta.url)).map((name) => `assets/${name}`)];
    let scripts = 0;
    for (const name of files) {
      const answer = await fetch(`${origin}/${name}`, { headers: { 'Accept-Encoding': 'gzip' } });
      await answer.arrayBuffer();
      const [length, age, encoding] = ['Content-Length', 'Cache-Control', 'Content-Encoding'].map((h) => answer.headers.get(h));
      assert.equal(answer.status, 200, name);
      assert.equal(age, name.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache', name);
      assert.ok(answer.headers.has('ETag'), name);
      if (!/\.(woff2|svg)$/.test(name) && Number(length) > 1_000) assert.equal(encoding, 'gzip', name);
      if (name.endsWith('.js')) scripts += Number(length);
      assert.ok(Number(length) <= (name.includes('globe-') ? BUDGET.globe : BUDGET.file), `${name}: ${length} bytes`);
    }
    assert.ok(scripts > 0 && scripts <= BUDGET.scripts, `${scripts} bytes of scripts`);
  });

  for (const [name, size] of Object.entries(SIZES))
    it(`nothing moves on a ${name} but what is meant to`, { timeout: 120_000 }, async () => {
      const { page } = await openPage(browser, origin, '/?flat=1', size, undefined, noteFirsts);
      await page.waitForFunction(() => document.querySelectorAll('[data-figure] [data-text]').length === 5 && document.querySelector('canvas') && document.querySelectorAll('.latest li time').length > 5, undefined, WAIT);
      const orders = () => page.evaluate(() => document.querySelector('.latest li time').parentElement.textContent);
      const first = await orders();
      await page.waitForFunction((first) => document.querySelector('.latest li time').parentElement.textContent !== first, first, WAIT);
      assert.deepEqual(await page.evaluate(() => window.shifts), []);
      await page.close();
    });
});

describe('delivery', () => {
  it('is under the content security policy', async () => {
    const { page, response } = await openPage(browser, origin, '/?test=1&flat=1', SIZES.laptop);
    const policy = response.headers()['content-security-policy'] ?? '';
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "worker-src 'self'"])
      assert.ok(policy.includes(part), `${part} in ${policy}`);
    await page.close();
  });

  it('has a client module that another page can import', async () => {
    const { page, faults } = await openPage(browser, origin, '/?test=1&flat=1', SIZES.laptop);
    const kind = await page.evaluate(async () => {
      const { connect } = await import('/livemap.js');
      const stream = connect({ topics: ['metrics'], keys: ['world'] });
      const orders = await new Promise((resolve) => stream.onState('metrics', (value) => resolve(typeof value.orders)));
      stream.close();
      return orders;
    });
    assert.equal(kind, 'number');
    assert.deepEqual(faults, []);
    await page.close();
  });
});

for (const [name, size] of Object.entries(SIZES)) {
  it(`looks right on a ${name}`, { timeout: 120_000 }, async () => {
    const { page, faults } = await live('/?test=1&steady=1&lon=-25', size, drawing);
    await page.waitForFunction(() => document.querySelector('canvas')?.dataset.draws !== undefined, undefined, WAIT);
    await page.waitForFunction(() => Number(document.querySelector('[data-sampling]').dataset.shown) > 60, undefined, WAIT);
    assert.ok((await page.evaluate(() => Number(document.querySelector('canvas').dataset.draws))) <= 6, 'draw calls');
    if (shots) await page.waitForTimeout(5_000); // a picture is worth more with arcs in the air
    await picture(page, shots, `page-${name}`);
    if (name === 'phone') await picture(page, shots, 'page-phone-full', { fullPage: true });
    assert.deepEqual(await layoutFaults(page), []);
    assert.deepEqual(await contrastFaults(page), []);
    assert.deepEqual(faults, []);
    await page.close();
  });
}

it('the globe names the country and tells the order under the mouse', { timeout: 120_000 }, async () => {
  const { page, faults } = await live('/?test=1&steady=1&lon=-25', SIZES.laptop, drawing);
  await page.waitForFunction(() => Number(document.querySelector('[data-sampling]').dataset.shown) > 60, undefined, WAIT);
  assert.match((await pointAt(page, 'country', 40)).text, /^[A-Z]/);
  assert.match((await pointAt(page, 'flight', 40)).text, /orders?\s·\s[\d,.]+\s(mi|km)/);
  assert.deepEqual(faults, []);
  await page.close();
});

it('has an embed of a globe and one figure', async () => {
  const { page, faults } = await openPage(drawing, origin, '/embed?test=1&figure=sales', [480, 480]);
  await page.waitForFunction(() => document.querySelector('[data-figure="sales"] [data-text]'), undefined, WAIT);
  await page.waitForFunction(() => document.querySelector('canvas')?.dataset.draws !== undefined, undefined, WAIT);
  assert.equal(await page.evaluate(() => document.querySelectorAll('[data-figure]').length), 1);
  await picture(page, shots, 'embed');
  assert.deepEqual(await layoutFaults(page), []);
  assert.deepEqual(faults, []);
  await page.close();
});
