/**
 * A bounded queue with an asynchronous reader. What comes when it is full takes
 * the place of the oldest, which is counted as missed.
 */
export class Queue<T> implements AsyncIterableIterator<T & { readonly missed: number }> {
  private readonly items: T[] = [];
  private missed = 0;
  private ended = false;
  private waiting: (() => void)[] = [];

  constructor(
    private readonly limit: number,
    private readonly onEnd: () => void,
  ) {}

  push(item: T): void {
    if (this.ended) return;
    if (this.items.length >= this.limit) {
      this.items.shift();
      this.missed++;
    }
    this.items.push(item);
    this.wake();
  }

  /** What is queued is still read; then the reader ends. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.onEnd();
    this.wake();
  }

  async next(): Promise<IteratorResult<T & { readonly missed: number }>> {
    while (this.items.length === 0 && !this.ended) await new Promise<void>((resolve) => this.waiting.push(resolve));
    const item = this.items.shift();
    if (item === undefined) return { done: true, value: undefined };
    const { missed } = this;
    this.missed = 0;
    return { done: false, value: { ...item, missed } };
  }

  return(): Promise<IteratorResult<T & { readonly missed: number }>> {
    this.end();
    this.items.length = 0;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private wake(): void {
    for (const go of this.waiting.splice(0)) go();
  }
}
