// The client module in Chromium against the fake server, on pages that hold
// nothing else: what it shares, how it comes back, what it says.
//
//   node --test test/client.mjs
//
// Where it says "everything", each batch of the server's log between the first
// and the last that a tab received was received exactly once.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { FLAT, openPage, SIZES, startBrowser } from './browser.mjs';
import { startFake } from './fake/server.mjs';

const WAIT = { timeout: 90_000, polling: 100 };
const network = (text) => text.includes('Failed to load resource') || text.includes('ERR_');

let browser;
before(async () => (browser = await startBrowser(FLAT)));
after(() => browser?.close());

/** Opens a blank page of the server. `alone`: as on a browser without SharedWorker. */
async function blank(context, server, { path = '/blank', alone = false } = {}) {
  const prepare = alone ? (page) => page.addInitScript(() => delete window.SharedWorker) : undefined;
  const { page, faults } = await openPage(context, server.url, path, SIZES.phone, network, prepare);
  return { page, faults };
}

/** Connects in a page, and notes all that is heard in window.heard. */
function listen(page, options = {}) {
  return page.evaluate(async (given) => {
    const { connect } = await import('/livemap.js');
    const heard = (window.heard = { phases: [], errors: [], batches: [], gaps: [], troubles: [], metrics: 0 });
    const stream = (window.stream = connect({ topics: ['metrics', 'shipments'], url: new URL('v1/events', document.baseURI), ...given, ...(given.tokens && { token: () => window.tokens.shift() }) }));
    stream.onStatus(({ phase, error }) => {
      if (heard.phases.at(-1) !== phase) heard.phases.push(phase);
      if (error) heard.errors.push(error);
    });
    stream.onLog('shipments', (batch, _, { id }) => heard.batches.push([Number(id.slice(3)) - 1, batch.of]));
    stream.onState('metrics', (value) => value && heard.metrics++);
    stream.onGap((gap) => heard.gaps.push(gap));
    stream.onError((trouble) => heard.troubles.push(trouble));
  }, options);
}

const until = (page, check, given) => page.waitForFunction(check, given, WAIT);
const more = async (page, batches = 10) => {
  const from = await page.evaluate(() => window.heard.batches.length);
  await until(page, (n) => window.heard.batches.length >= n, from + batches);
};
const phase = (page, want) => until(page, (phase) => window.stream.status.phase === phase, want);
const heardOf = (page) => page.evaluate(() => window.heard);

/** Everything, once, in order; the sums of orders are equal, too. */
async function everything(page, server, sums = true) {
  const { batches, gaps } = await heardOf(page);
  assert.deepEqual(gaps, []);
  const [first, last] = [batches[0][0], batches.at(-1)[0]];
  const log = server.state.log.entries.filter((e) => e.topic === 'shipments' && e.seq >= first && e.seq <= last);
  assert.deepEqual(batches.map(([seq]) => seq), log.map((e) => e.seq));
  if (sums) assert.equal(batches.reduce((sum, [, of]) => sum + of, 0), server.state.log.orders(first, last + 1));
}

/** A test on a server in some mode and a context of its own. */
function at(mode, name, test, options = {}) {
  it(name, { timeout: 180_000 }, async () => {
    const server = await startFake({ mode, rate: 100 });
    const context = await browser.newContext();
    try {
      const faults = await test(context, server);
      assert.deepEqual((faults ?? []).filter(options.allow ?? (() => true)), []);
    } finally {
      await context.close();
      await server.close();
    }
  });
}

// Most of the time they wait.
describe('client', { concurrency: 2 }, () => {
  for (const alone of [false, true]) {
    const way = alone ? 'an elected worker' : 'a SharedWorker';
    describe(`tabs that share ${way}`, { concurrency: true }, () => {
      at('live', 'are one connection for the server, eight of them', async (context, server) => {
        const tabs = [];
        for (let i = 0; i < 8; i++) {
          tabs.push(await blank(context, server, { alone }));
          await listen(tabs[i].page);
        }
        for (const { page } of tabs) await more(page);
        assert.equal(server.state.connections, 1);
        for (const { page } of tabs) {
          await everything(page, server);
          assert.ok((await heardOf(page)).metrics > 0);
        }
        return tabs.flatMap((t) => t.faults);
      });

      at('live', 'go on when tabs close, the first one first', async (context, server) => {
        const tabs = [];
        for (let i = 0; i < 4; i++) {
          tabs.push(await blank(context, server, { alone }));
          await listen(tabs[i].page);
          await more(tabs[i].page, 1);
        }
        for (const { page } of tabs.slice(0, 3)) {
          await page.close();
          for (const left of tabs) if (!left.page.isClosed()) await more(left.page);
        }
        await everything(tabs[3].page, server);
        assert.equal(server.state.open, 1);
        if (!alone) assert.equal(server.state.connections, 1);
        await tabs[3].page.close();
        await context.newPage();
        for (let i = 0; i < 300 && server.state.open > 0; i++) await new Promise((resolve) => setTimeout(resolve, 100));
        assert.equal(server.state.open, 0, 'the last tab takes the connection with it');
      });

      at('live', 'come back together when the network was away, with everything', async (context, server) => {
        const tabs = [await blank(context, server, { alone }), await blank(context, server, { alone })];
        for (const { page } of tabs) await listen(page);
        for (const { page } of tabs) await more(page);
        for (let i = 0; i < 3; i++) {
          server.cut();
          await phase(tabs[0].page, 'reconnecting');
          for (const { page } of tabs) await more(page);
        }
        for (const { page } of tabs) await everything(page, server);
        assert.equal(server.state.open, 1);
      });

      at('session', 'renew a session for all, with everything', async (context, server) => {
        const tabs = [await blank(context, server, { alone }), await blank(context, server, { alone })];
        for (const { page } of tabs) await listen(page, { session: true });
        for (let i = 0; server.state.granted < 3 && i < 900; i++) await new Promise((resolve) => setTimeout(resolve, 100));
        for (const { page } of tabs) await more(page);
        for (const { page } of tabs) {
          await everything(page, server);
          assert.ok(!(await heardOf(page)).phases.includes('expired'));
        }
        assert.ok(server.state.granted >= 3, `${server.state.granted} sessions`);
      });

      at('live', 'ask a tab for a token, and share only where they are said to be the same', async (context, server) => {
        const tabs = [];
        for (const [share, token] of [['ann', 'a'], ['ann', 'a'], ['bob', 'b'], [true, 'c']]) {
          const tab = await blank(context, server, { alone });
          await tab.page.evaluate((name) => (window.tokens = Array(9).fill(`${name}${name}`)), token);
          await listen(tab.page, { share, tokens: true });
          await more(tab.page, 1);
          tabs.push(tab);
        }
        assert.deepEqual(server.state.tokens, ['Bearer aa', 'Bearer bb', 'Bearer cc']);
      });
    });
  }

  describe('a stream', { concurrency: 4 }, () => {
    for (const [mode, what] of [['drop', 'breaks'], ['torn', 'breaks inside an event'], ['half-open', 'falls silent'], ['drain', 'is drained']])
      at(mode, `that ${what} goes on with everything`, async (context, server) => {
        const { page, faults } = await blank(context, server);
        await listen(page);
        for (let i = 0; server.state.connections < 3 && i < 900; i++) await new Promise((resolve) => setTimeout(resolve, 100));
        await more(page, 3);
        await everything(page, server);
        if (mode === 'half-open') assert.ok((await heardOf(page)).phases.includes('stale'));
        return faults;
      });

    at('trickle', 'that trickles is everything', async (context, server) => {
      const { page, faults } = await blank(context, server);
      await listen(page);
      await more(page, 40);
      await everything(page, server);
      return faults;
    });

    at('lost', 'that cannot be resumed tells the gap, and goes on', async (context, server) => {
      const { page } = await blank(context, server);
      await listen(page);
      await until(page, () => window.heard.gaps.length > 0);
      assert.deepEqual((await heardOf(page)).gaps[0], { topic: 'shipments', reason: 'unknown_id' });
      await more(page);
    });

    at('newer', 'of tomorrow is read as far as it is of today, and the rest is told', async (context, server) => {
      const { page, faults } = await blank(context, server);
      await listen(page);
      await until(page, () => window.heard.troubles.length > 2 && window.heard.batches.length > 30);
      await everything(page, server);
      const { troubles } = await heardOf(page);
      assert.deepEqual([...new Set(troubles.map((t) => t.code))], ['version']);
      assert.equal(await page.evaluate(() => typeof window.stream.state('metrics').get('world').orders), 'number');
      return faults;
    });

    for (const mode of ['hostile', 'names', 'huge', 'zeros'])
      at(mode, `of ${mode} values is only text and numbers`, async (context, server) => {
        const { page, faults } = await blank(context, server);
        await listen(page);
        await more(page, 25);
        await everything(page, server, mode !== 'zeros');
        assert.equal(await page.title(), 'blank');
        assert.equal(await page.evaluate(() => Object.prototype.polluted ?? ({}).v), undefined);
        if (mode === 'huge') assert.equal(await page.evaluate(() => window.stream.state('metrics').get('world').orders), Number.MAX_SAFE_INTEGER);
        return faults;
      });

    for (const [mode, want] of Object.entries({
      400: ['closed', 'refused', /unknown topic "shipmints"/],
      401: ['expired', 'unauthorized', /token or session/],
      403: ['closed', 'forbidden', /does not permit the key "world"/],
      404: ['closed', 'refused', /address of a livemap server/],
      429: ['connecting', 'overload', /429/],
      500: ['connecting', 'server', /500/],
      503: ['connecting', 'overload', /503/],
      html: ['connecting', 'not_a_stream', /text\/html/],
      overload: ['connecting', 'overload', /goodbye: overload/],
      behind: ['connecting', 'goodbye', /goodbye: behind/],
      version: ['closed', 'version', /version 2/],
      endless: ['closed', 'too_large', /4194304 characters/],
    }))
      at(mode, `that is answered with ${mode} says so`, async (context, server) => {
        const { page } = await blank(context, server);
        await listen(page);
        await until(page, () => window.heard.errors.length > 0);
        const { phases, errors } = await heardOf(page);
        assert.equal(errors[0].code, want[1]);
        assert.match(errors[0].message, want[2]);
        assert.equal(phases.at(-1), want[0]);
        const before = server.state.connections;
        if (want[0] === 'closed' || want[0] === 'expired') assert.equal(before, 1);
        else for (let i = 0; server.state.connections === before && i < 900; i++) await new Promise((resolve) => setTimeout(resolve, 100));
      });

    at('silent', 'that is never answered is tried again', async (context, server) => {
      const { page } = await blank(context, server);
      await listen(page);
      await until(page, () => window.heard.errors.length > 0);
      assert.equal((await heardOf(page)).errors[0].code, 'silent');
      for (let i = 0; server.state.connections < 2 && i < 900; i++) await new Promise((resolve) => setTimeout(resolve, 100));
      assert.ok(server.state.connections >= 2);
    });

    at('live', 'survives the death of its worker, with everything', async (context, server) => {
      const { page } = await blank(context, server);
      await listen(page);
      await more(page);
      const session = await browser.newBrowserCDPSession();
      const { targetInfos } = await session.send('Target.getTargets', { filter: [{ type: 'shared_worker' }] });
      const worker = targetInfos.find((t) => t.url.startsWith(server.url));
      await session.send('Target.closeTarget', { targetId: worker.targetId });
      for (let i = 0; server.state.connections < 2 && i < 900; i++) await new Promise((resolve) => setTimeout(resolve, 100));
      await more(page);
      await everything(page, server);
    });

    at('live', 'has a past that can be fetched', async (context, server) => {
      const { page, faults } = await blank(context, server);
      const shipments = () => server.state.log.entries.filter((e) => e.topic === 'shipments');
      while (shipments().length < 9) await new Promise((resolve) => setTimeout(resolve, 50));
      const [since, until] = [1, 7].map((i) => shipments()[i].ms);
      const [got, none] = await page.evaluate(async ([since, until]) => {
        const { range } = await import('/livemap.js');
        const { records } = await range({ topics: ['shipments'], since, until });
        const abort = new AbortController();
        const stopped = range({ topics: ['shipments'], since, until, signal: abort.signal }).catch((error) => error.name);
        abort.abort();
        return [records.map((r) => Number(r.id.slice(3)) - 1), await stopped];
      }, [since, until]);
      assert.deepEqual(got, server.state.log.between(since, until).filter((e) => e.topic === 'shipments').map((e) => e.seq));
      assert.ok(got.length > 3);
      assert.equal(none, 'AbortError');
      return faults;
    });
  });
});
