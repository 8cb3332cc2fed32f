/** Bounds of the time that a number takes to its goal, in milliseconds. */
const SOONEST = 250;
const LATEST = 2_000;

/**
 * A number that runs to each new value at its rate of change: it takes as long
 * as values take to come, so it arrives when the next one does and never jumps.
 */
export class Tween {
  private from: number;
  private goal: number;
  private started = 0;
  private takes = 1_000;

  constructor(value: number) {
    this.from = this.goal = value;
  }

  /** Where it is going. */
  get target(): number {
    return this.goal;
  }

  /** Sets a new goal at time `now` in milliseconds. */
  to(goal: number, now: number): void {
    this.from = this.at(now);
    if (this.started > 0) this.takes = Math.min(LATEST, Math.max(SOONEST, now - this.started));
    this.goal = goal;
    this.started = now;
  }

  /** The value at time `now`. */
  at(now: number): number {
    const share = Math.min(1, Math.max(0, (now - this.started) / this.takes));
    return share === 1 ? this.goal : this.from + (this.goal - this.from) * share;
  }

  /** Whether it has arrived. */
  done(now: number): boolean {
    return now - this.started >= this.takes;
  }
}
