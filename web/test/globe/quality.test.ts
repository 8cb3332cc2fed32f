import { describe, expect, it } from 'vitest';
import { Quality, STEPS, type Verdict } from '../../src/globe/quality.ts';

/** Feeds frames of `ms` for `seconds`, and returns the verdicts that asked for a change. */
function run(quality: Quality, clock: { now: number }, ms: number, seconds: number): Verdict[] {
  const verdicts: Verdict[] = [];
  for (const end = clock.now + seconds * 1_000; clock.now < end; clock.now += ms) {
    const verdict = quality.frame(clock.now, ms);
    if (verdict !== 'stay') verdicts.push(verdict);
  }
  return verdicts;
}

describe('quality', () => {
  it('stays while frames are fast, and goes up after a while', () => {
    const quality = new Quality(1);
    const clock = { now: 0 };
    expect(run(quality, clock, 8, 7)).toEqual([]);
    expect(run(quality, clock, 8, 4)).toEqual(['better']);
    expect(quality.current).toBe(STEPS[0]);
  });

  it('goes down within two seconds of slow frames, step by step, to the flat map at last', () => {
    const quality = new Quality(1);
    const clock = { now: 0 };
    expect(run(quality, clock, 60, 2.2)).toEqual(['worse']);
    // At the plainest step 60 ms will do; the one before is tried once more, and then left alone.
    expect(run(quality, clock, 60, 20)).toEqual(['worse', 'worse', 'better', 'worse']);
    expect(run(quality, clock, 60, 60)).toEqual([]);
    expect(quality.current).toBe(STEPS.at(-1));
    const hopeless = run(quality, clock, 300, 12);
    expect(hopeless).toContain('hopeless');
  });

  it('does not go back for ever to a step that was too much twice', () => {
    const quality = new Quality(0);
    const clock = { now: 0 };
    for (let i = 0; i < 2; i++) {
      run(quality, clock, 40, 2.2);
      run(quality, clock, 8, 12);
    }
    expect(quality.current).toBe(STEPS[1]);
  });
});
