import { describe, expect, it } from 'vitest';
import type { Shipments, Window } from '../../src/client/records.ts';
import { PIECE_MS, Replay, type Piece, type Speed } from '../../src/panels/replay.ts';

const T0 = Date.parse('2026-11-27T10:00:00.000Z');
const iso = (ms: number) => new Date(ms).toISOString();

/** A past with a window a second and ten batches a second. */
const past = (from: number, to: number, batchesTo: number): Piece => ({
  windows: Array.from({ length: Math.floor((to - from) / 1_000) }, (_, i) => ({ emitted_at: iso(from + i * 1_000) }) as Window),
  batches: Array.from({ length: Math.floor((batchesTo - from) / 100) }, (_, i) => ({ emitted_at: iso(from + i * 100) }) as Shipments),
});

function play(speed: Speed, from: number, fetchPiece = past) {
  const asked: [number, number, number][] = [];
  const seen = { windows: [] as string[], batches: [] as string[], arrived: 0 };
  const now = T0 + 3_600_000;
  const screen = {
    window: (w: Window) => void seen.windows.push(w.emitted_at),
    batch: (b: Shipments) => void seen.batches.push(b.emitted_at),
    arrived: () => void seen.arrived++,
  };
  const fetching = async (a: number, b: number, c: number) => {
    asked.push([a, b, c]);
    return fetchPiece(a, b, c);
  };
  const replay = new Replay(fetching, screen, from, speed, now);
  const run = async (ms: number) => {
    for (let t = 0; t < ms; t += 100) {
      replay.tick(now + t);
      await Promise.resolve();
      await Promise.resolve();
      await Promise.resolve();
    }
  };
  return { asked, seen, replay, run, now };
}

describe('replay', () => {
  it('shows every window and every batch at the speed at which they came', async () => {
    const { asked, seen, replay, run } = play(1, T0);
    await run(12_000);
    expect(asked[0]).toEqual([T0, T0 + PIECE_MS, T0 + PIECE_MS]);
    expect(asked[1]![0]).toBe(T0 + PIECE_MS); // no time is left out, none fetched twice
    expect(replay.at - T0).toBeGreaterThan(11_000);
    expect(seen.windows.slice(0, 10)).toEqual(Array.from({ length: 10 }, (_, i) => iso(T0 + i * 1_000)));
    expect(new Set(seen.batches).size).toBe(seen.batches.length);
    expect(seen.batches.length).toBeGreaterThan(100);
  });

  it('shows all of an hour in a minute at 60x, and of the orders a part at their own speed', async () => {
    const { asked, seen, run } = play(60, T0);
    await run(10_000);
    expect(asked[0]).toEqual([T0, T0 + 60 * PIECE_MS, T0 + PIECE_MS]);
    expect(Date.parse(seen.windows.at(-1)!) - T0).toBeGreaterThan(570_000);
    expect(seen.batches.length).toBeGreaterThan(90);
    expect(seen.batches.length).toBeLessThan(110);
  });

  it('never asks for the present, and says when it has come there', async () => {
    const { asked, seen, run, now } = play(10, T0 + 3_600_000 - 60_000);
    await run(20_000);
    expect(seen.arrived).toBeGreaterThan(0);
    for (const [from, to] of asked) {
      expect(to).toBeLessThan(now + 20_000);
      expect(from).toBeLessThan(to);
    }
  });

  it('leaps over a time of which nothing was kept, and says so meanwhile', async () => {
    const begins = T0 + 1_800_000;
    const { replay, run, seen } = play(1, T0, (from, to, batchesTo) => (from < begins ? { windows: [], batches: [] } : past(from, to, batchesTo)));
    await run(1_000);
    expect(replay.kept).toBe(false);
    await run(14_000);
    expect(replay.kept).toBe(true);
    expect(Date.parse(seen.windows[0]!)).toBeGreaterThanOrEqual(begins);
  });

  it('asks again for what could not be fetched, and leaves nothing out', async () => {
    let failures = 2;
    const { replay, run, seen, asked } = play(1, T0, (from, to, batchesTo) => {
      if (failures-- > 0) throw new Error('503');
      return past(from, to, batchesTo);
    });
    await run(3_900);
    expect(replay.at).toBe(T0);
    expect(replay.kept).toBeUndefined();
    await run(8_000);
    expect(asked.slice(0, 3).map(([from]) => from)).toEqual([T0, T0, T0]);
    expect(seen.windows[0]).toBe(iso(T0));
  });

  it('waits for what is being fetched', async () => {
    const { replay, run, seen } = play(1, T0, () => new Promise<never>(() => {}) as never);
    await run(3_000);
    expect(replay.at).toBe(T0);
    expect(replay.kept).toBeUndefined();
    expect(seen.arrived).toBe(0);
  });
});
