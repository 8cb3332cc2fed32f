/** What is drawn at one step of quality. */
export interface Step {
  /** Pixels of the canvas per CSS pixel, at most. */
  readonly ratio: number;
  /** Share of the visible arcs that the layout allows. */
  readonly arcs: number;
  /** Frames per second, at most. */
  readonly fps: number;
}

/** From the best to the plainest. */
export const STEPS: readonly Step[] = [
  { ratio: 2, arcs: 1, fps: 120 },
  { ratio: 1.5, arcs: 1, fps: 60 },
  { ratio: 1, arcs: 0.75, fps: 60 },
  { ratio: 1, arcs: 0.5, fps: 30 },
  { ratio: 0.66, arcs: 0.4, fps: 20 },
];

/** How long frames are measured before the step changes, in milliseconds. */
export const MEASURE_MS = 2_000;

/** Beyond this mean frame time at the plainest step, three times in a row, the globe gives way to the flat map. */
export const HOPELESS_MS = 200;

/** What a measurement says should happen. */
export type Verdict = 'stay' | 'worse' | 'better' | 'hopeless';

/**
 * Chooses a step from measured frame times: down as soon as two seconds of
 * frames take longer than 26 ms in the mean, up again only after four good
 * measurements, and never again to a step that was too much twice.
 */
export class Quality {
  private step: number;
  private best = 0;
  private frames = 0;
  private busy = 0;
  private from = -1;
  private good = 0;
  private hopeless = 0;
  private readonly fell: number[] = STEPS.map(() => 0);

  constructor(start = 1) {
    this.step = start;
  }

  get current(): Step {
    return STEPS[this.step]!;
  }

  /** Takes in a frame that began at `now` and took `ms` until the next could begin. */
  frame(now: number, ms: number): Verdict {
    if (this.from < 0) this.from = now;
    this.frames++;
    this.busy += ms;
    if (now - this.from < MEASURE_MS || this.frames < 4) return 'stay';
    const mean = this.busy / this.frames;
    this.reset();
    return this.judge(mean, Math.max(26, (1_000 / this.current.fps) * 1.35));
  }

  /** Forgets the measurement under way: the page was hidden or paused. */
  reset(): void {
    this.from = -1;
    this.frames = 0;
    this.busy = 0;
  }

  /** One slow measurement may be the machine's other work; three are the globe. */
  private despair(mean: number): Verdict {
    this.hopeless = mean > HOPELESS_MS ? this.hopeless + 1 : 0;
    return this.hopeless >= 3 ? 'hopeless' : 'stay';
  }

  private judge(mean: number, limit: number): Verdict {
    if (mean > limit) {
      this.good = 0;
      if (this.step === STEPS.length - 1) return this.despair(mean);
      this.fell[this.step]!++;
      if (this.fell[this.step]! >= 2) this.best = this.step + 1;
      this.step++;
      return 'worse';
    }
    this.hopeless = 0;
    if (++this.good < 4 || this.step <= this.best) return 'stay';
    this.good = 0;
    this.step--;
    return 'better';
  }
}
