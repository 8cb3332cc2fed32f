import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Elected, FROZEN_MS, LEADERLESS_MS, type Commons } from '../../src/client/elected.ts';
import { Memory } from '../../src/client/memory.ts';
import type { Message, Query, Sink } from '../../src/client/protocol.ts';

const query: Query = { url: 'http://map.test/v1/events', topics: ['shipments'], version: 1, credentials: 'same-origin' };
const log = (n: number): Message => ({ type: 'record', topic: 'shipments', kind: 'log', key: 'world', text: String(n), id: String(n) });

/** A browser with one lock, one channel and a server whose log is counted up; workers can be frozen. */
class Origin {
  workers: Worker[] = [];
  connections: { from: number; worker: Worker; open: boolean; hear: Sink; lastId: string }[] = [];
  head = 0;
  private held: { reject: (e: Error) => void; owner: Worker } | undefined;
  private readonly line: { owner: Worker; grant: () => void }[] = [];

  request(owner: Worker, options: LockOptions, call: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const grant = () => {
        const mine = { reject, owner };
        this.held = mine;
        void call().then(() => {
          if (this.held === mine) {
            this.held = undefined;
            this.line.shift()?.grant();
          }
          resolve();
        });
      };
      if (options.steal) {
        const robbed = this.held;
        robbed?.owner.whenAwake(() => robbed.reject(new DOMException('stolen', 'AbortError')));
        grant();
      } else if (this.held) this.line.push({ owner, grant });
      else grant();
    });
  }

  died(worker: Worker): void {
    this.line.splice(0, this.line.length, ...this.line.filter((w) => w.owner !== worker));
    if (this.held?.owner !== worker) return;
    this.held = undefined;
    this.line.shift()?.grant();
  }

  /** The server writes a record to every open connection. */
  async publish(): Promise<void> {
    const n = ++this.head;
    for (const c of this.connections)
      if (c.open)
        c.worker.whenAwake(() => {
          if (!c.open) return;
          c.lastId = String(n);
          c.hear([log(n)]);
        });
    await vi.advanceTimersByTimeAsync(0);
  }

  get open() {
    return this.connections.filter((c) => c.open);
  }
}

/** A tab's worker. Frozen, it gets what was sent to it only when it thaws. */
class Worker {
  heard: number[] = [];
  frozen = false;
  dead = false;
  private queue: (() => void)[] = [];
  private readonly memory = new Memory();
  private onCall: ((event: MessageEvent) => void) | null = null;
  readonly elected: Elected;

  constructor(private readonly origin: Origin) {
    origin.workers.push(this);
    const commons: Commons = {
      channel: () => this.channel(),
      locks: { request: ((_: string, options: LockOptions, call: () => Promise<void>) => origin.request(this, options, call)) as LockManager['request'] },
      connect: (_query, hear, _tokens, lastId) => this.connect(hear, lastId),
    };
    this.elected = new Elected(query, (messages) => this.hear(messages), undefined, this.memory, 'test', undefined, commons);
  }

  whenAwake(call: () => void): void {
    if (this.dead) return;
    if (this.frozen) this.queue.push(call);
    else queueMicrotask(call);
  }

  thaw(): void {
    this.frozen = false;
    for (const call of this.queue.splice(0)) call();
  }

  die(): void {
    this.dead = true;
    for (const c of this.origin.connections) if (c.worker === this) c.open = false;
    this.elected['closed'] = true; // nothing is said any more
    clearInterval(this.elected['timer'] as unknown as number);
    this.origin.died(this);
  }

  private hear(messages: readonly Message[]): void {
    for (const message of messages) {
      this.memory.keep(message);
      if (message.type === 'record') this.heard.push(Number(message.text));
    }
  }

  private channel() {
    const self = this;
    return {
      set onmessage(call: (event: MessageEvent) => void) {
        self.onCall = call;
      },
      postMessage: (data: unknown) => {
        for (const other of this.origin.workers) if (other !== this) other.whenAwake(() => other.onCall?.({ data } as MessageEvent));
      },
      close: () => {},
    } as never;
  }

  private connect(hear: Sink, lastId: string) {
    const c = { from: Number(lastId), worker: this as Worker, open: true, hear, lastId };
    this.origin.connections.push(c);
    // A new client gets no old record; a resumed one all since its id.
    if (lastId !== '')
      for (let n = Number(lastId) + 1; n <= this.origin.head; n++) {
        c.lastId = String(n);
        hear([log(n)]);
      }
    return { get lastId() { return c.lastId; }, retryNow() {}, renew() {}, wake() {}, close: () => void (c.open = false) };
  }
}

describe('election of a leader', () => {
  let origin: Origin;
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

  beforeEach(() => {
    vi.useFakeTimers();
    origin = new Origin();
  });
  afterEach(() => {
    for (const worker of origin.workers) worker.elected.close();
    vi.useRealTimers();
  });

  it('gives all tabs one connection', async () => {
    const tabs = [new Worker(origin), new Worker(origin), new Worker(origin)];
    await pass(5_000);
    for (let i = 0; i < 5; i++) await origin.publish();
    expect(origin.connections).toHaveLength(1);
    for (const tab of tabs) expect(tab.heard).toEqual(upTo(5));
  });

  it('tells a tab that comes later what there is, once', async () => {
    new Worker(origin);
    await pass(10);
    for (let i = 0; i < 5; i++) await origin.publish();
    const late = new Worker(origin);
    await pass(0);
    await origin.publish();
    await pass(10_000);
    expect(late.heard).toEqual(upTo(6));
    expect(origin.connections).toHaveLength(1);
  });

  it('passes on when the leader goes, without a record lost or twice', async () => {
    const tabs = [new Worker(origin), new Worker(origin), new Worker(origin)];
    await pass(5_000);
    await origin.publish();
    tabs[0]!.die();
    await origin.publish(); // nobody is connected
    await pass(1_000);
    await origin.publish();
    expect(origin.open).toHaveLength(1);
    expect(origin.connections[1]!.from).toBe(1);
    expect(tabs[1]!.heard).toEqual(upTo(3));
    expect(tabs[2]!.heard).toEqual(upTo(3));
    tabs[1]!.die();
    await pass(1_000);
    await origin.publish();
    expect(tabs[2]!.heard).toEqual(upTo(4));
  });

  it('takes the place of a leader that is frozen, and the frozen one follows when it thaws', async () => {
    const tabs = [new Worker(origin), new Worker(origin), new Worker(origin)];
    await pass(5_000);
    await origin.publish();
    tabs[0]!.frozen = true;
    clearInterval(tabs[0]!.elected['timer'] as unknown as number); // a frozen worker has no timers
    await pass(1.5 * LEADERLESS_MS + 3_000);
    await origin.publish();
    expect(tabs[1]!.heard).toEqual(upTo(2));
    expect(tabs[2]!.heard).toEqual(upTo(2));
    await pass(FROZEN_MS);
    tabs[0]!.thaw();
    await pass(100);
    await origin.publish();
    expect(origin.open).toHaveLength(1);
    for (const tab of tabs) expect(tab.heard).toEqual(upTo(3));
  });

  it('has one leader in the end where two rob at once', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const tabs = [new Worker(origin), new Worker(origin), new Worker(origin)];
    await pass(5_000);
    tabs[0]!.frozen = true;
    clearInterval(tabs[0]!.elected['timer'] as unknown as number);
    await pass(60_000);
    await origin.publish();
    expect(origin.open.filter((c) => !c.worker.frozen)).toHaveLength(1);
    expect(tabs[1]!.heard).toEqual(upTo(1));
    expect(tabs[2]!.heard).toEqual(upTo(1));
    vi.restoreAllMocks();
  });

  it('lets a follower that was frozen hear what it missed instead of robbing the leader', async () => {
    const tabs = [new Worker(origin), new Worker(origin)];
    await pass(5_000);
    tabs[1]!.frozen = true;
    const timer = tabs[1]!.elected as unknown as { timer: number };
    clearInterval(timer.timer);
    for (let i = 0; i < 3; i++) {
      await origin.publish();
      await pass(20_000);
    }
    tabs[1]!.elected['tick']();
    tabs[1]!.thaw();
    await pass(1_000);
    expect(origin.connections).toHaveLength(1);
    expect(tabs[1]!.heard).toEqual(upTo(3));
  });
});
