// What the page costs, read from Chromium itself.

/** Reads a page's counters; all times in milliseconds since the page was opened. */
export class Meter {
  static async of(page) {
    const session = await page.context().newCDPSession(page);
    await session.send('Performance.enable');
    return new Meter(page, session);
  }

  constructor(page, session) {
    this.page = page;
    this.session = session;
  }

  async #metrics() {
    const { metrics } = await this.session.send('Performance.getMetrics');
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  }

  /** Milliseconds of script and of all work on the main thread for a second of `ms`, and its longest tasks. */
  async load(ms) {
    await this.page.evaluate(() => {
      window.longTasks = [];
      new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((e) => Math.round(e.duration)))).observe({ type: 'longtask' });
    });
    const before = await this.#metrics();
    await new Promise((resolve) => setTimeout(resolve, ms));
    const after = await this.#metrics();
    const seconds = after.Timestamp - before.Timestamp;
    const rate = (name) => (1_000 * (after[name] - before[name])) / seconds;
    return { script: rate('ScriptDuration'), tasks: rate('TaskDuration'), long: await this.page.evaluate(() => window.longTasks) };
  }

  /** Bytes of the heap and nodes of the document after a garbage collection. */
  async held() {
    await this.session.send('HeapProfiler.collectGarbage');
    const { JSHeapUsedSize: heap, Nodes: nodes } = await this.#metrics();
    return { heap, nodes };
  }
}

/** Slope of the straight line through [x, y] that is nearest to them in squares. */
export function slope(points) {
  const mean = (of) => points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [mx, my] = [mean(([x]) => x), mean(([, y]) => y)];
  return points.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0) / points.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
}
