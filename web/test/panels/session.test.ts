import { expect, test } from 'vitest';
import type { Status, Stream } from '../../src/client/index.ts';
import { keepSession } from '../../src/panels/session.ts';

/** A page whose stream, server and clock the test drives. */
function stage(answers: (boolean | 'lost')[]) {
  let tell: (status: Status) => void = () => {};
  const asked: number[] = [];
  let now = 0;
  let due: { at: number; call: () => void } | undefined;
  const stream = {
    status: { phase: 'connecting', since: 0 } as Status,
    renewed: 0,
    onStatus(call: (status: Status) => void) {
      tell = call;
      call(stream.status);
      return () => {};
    },
    renew() {
      stream.renewed++;
    },
  };
  keepSession(stream as unknown as Stream, '/v1/session', {
    async fetch(url, init) {
      asked.push(now);
      expect([url, init.method, init.credentials]).toEqual(['/v1/session', 'POST', 'same-origin']);
      const answer = answers.shift() ?? false;
      if (answer === 'lost') throw new Error('no network');
      return { ok: answer };
    },
    now: () => now,
    after: (ms, call) => void (due = { at: now + ms, call }),
  });
  return {
    stream,
    asked,
    async becomes(phase: Status['phase']) {
      stream.status = { phase, since: now } as Status;
      tell(stream.status);
      const next = due;
      due = undefined;
      if (!next) return;
      now = Math.max(now, next.at);
      next.call();
      await new Promise((done) => setTimeout(done));
    },
    later: (ms: number) => void (now += ms),
  };
}

test('a stream that works is left alone', async () => {
  const s = stage([]);
  await s.becomes('live');
  await s.becomes('reconnecting');
  await s.becomes('closed');
  expect(s.asked).toEqual([]);
});

test('a session is asked for when it is needed, and again when it ends', async () => {
  const s = stage([true, true]);
  await s.becomes('expired');
  expect(s.stream.renewed).toBe(1);
  await s.becomes('live');
  s.later(900_000);
  await s.becomes('expired');
  expect(s.asked).toEqual([0, 900_000]);
  expect(s.stream.renewed).toBe(2);
});

test('a server that gives none, or whose sessions open nothing, is not asked for ever', async () => {
  for (const answer of [true, false, 'lost'] as const) {
    const s = stage(Array(10).fill(answer));
    for (let i = 0; i < 10; i++) await s.becomes('expired');
    expect(s.asked).toEqual([0, 5_000, 10_000]);
    expect(s.stream.renewed).toBe(answer === true ? 3 : 0);
  }
});
