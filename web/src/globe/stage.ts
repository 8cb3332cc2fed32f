/**
 * A canvas in its host with a clock that stands still while the page is hidden
 * or paused, and a loop that runs only while the clock does.
 */
export class Stage {
  readonly canvas = document.createElement('canvas');
  width = 1;
  height = 1;
  /** Milliseconds that the clock has run. Starts at 1: 0 marks an empty slot. */
  now = 1;
  private last = 0;
  private frameRequest = 0;
  private paused = false;
  private readonly observer: ResizeObserver;
  private readonly leave = new AbortController();

  /**
   * `frame` draws at `now`, the clock being `ms` further than at the frame
   * before; `resized` follows a change of the size in CSS pixels.
   */
  constructor(
    private readonly host: HTMLElement,
    private readonly frame: (ms: number) => void,
    private readonly resized: () => void,
  ) {
    host.append(this.canvas);
    this.measure();
    this.observer = new ResizeObserver(() => {
      this.measure();
      this.resized();
    });
    this.observer.observe(host);
    document.addEventListener('visibilitychange', () => this.follow(), { signal: this.leave.signal });
  }

  /** Whether the clock runs. */
  get running(): boolean {
    return this.frameRequest !== 0;
  }

  start(): void {
    this.follow();
  }

  pause(on: boolean): void {
    this.paused = on;
    this.follow();
  }

  dispose(): void {
    this.paused = true;
    this.follow();
    this.leave.abort();
    this.observer.disconnect();
    this.canvas.remove();
  }

  private measure(): void {
    this.width = Math.max(1, this.host.clientWidth);
    this.height = Math.max(1, this.host.clientHeight);
  }

  private follow(): void {
    const run = !this.paused && document.visibilityState === 'visible';
    if (run === this.running) return;
    if (run) {
      this.last = performance.now();
      this.frameRequest = requestAnimationFrame(this.tick);
    } else {
      cancelAnimationFrame(this.frameRequest);
      this.frameRequest = 0;
    }
  }

  private readonly tick = (time: number): void => {
    this.frameRequest = requestAnimationFrame(this.tick);
    const ms = Math.max(0, time - this.last);
    this.last = time;
    // After a long stop the clock does not leap: flights go on where they were.
    this.now += Math.min(ms, 250);
    this.frame(ms);
  };
}
