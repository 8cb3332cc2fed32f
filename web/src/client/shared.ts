import { Connection } from './connection.ts';
import { Elected } from './elected.ts';
import { Reading, type Mailbox, type Order, type Post } from './port.ts';
import type { Query, Sink, Source, Tokens } from './protocol.ts';
import { Switchboard } from './switchboard.ts';

/** Begins a worker's name: tabs whose module speaks otherwise start their own. */
const NAME = 'livemap 2 ';

/** A worker that has not said anything this long after its start is none of ours, in milliseconds. */
const START_MS = 20_000;

/** How often a tab asks whether its worker is still there, in milliseconds; two questions without an answer and it is not. */
const PING_MS = 15_000;

/** What a tab needs to join. */
export interface Joining {
  /** Address of this module's file. */
  readonly module: string;
  readonly query: Query;
  /** Tabs share with those of the same name only. */
  readonly as: string;
  readonly tokens: Tokens | undefined;
  readonly sink: Sink;
}

/**
 * Joins the connection that all tabs of this origin share. Returns undefined
 * where that cannot be: a browser without workers, or a module of another origin.
 * Where a worker turns out not to start (a policy forbids it, a bundler has moved
 * the code), `failed` is called.
 */
export function joinShared(joining: Joining, failed: () => void): Source | undefined {
  if (typeof location === 'undefined' || new URL(joining.module).origin !== location.origin) return undefined;
  const seat = new Seat(joining, failed);
  return seat.take() ? seat : undefined;
}

/** Something to talk to: a SharedWorker's port, or a dedicated worker. */
interface Line {
  say(order: Order): void;
  hangUp(): void;
}

/** A tab's place at a worker. */
class Seat implements Source {
  private line: Line | undefined;
  private read = 0;
  private readonly reading = new Reading();
  private lastId = '';
  private unanswered = 0;
  private timer: ReturnType<typeof setInterval> | undefined;
  private readonly life = live();
  private readonly hide = (event: PageTransitionEvent) => this.say({ do: event.persisted ? 'pause' : 'leave' });
  private readonly show = (event: PageTransitionEvent) => event.persisted && this.say({ do: 'go' });

  constructor(
    private readonly joining: Joining,
    private readonly failed: () => void,
  ) {}

  /** Finds a worker and joins; `lastId`: the stream was heard before, up to there. */
  take(lastId?: string): boolean {
    const { module, query, as, tokens } = this.joining;
    const name = `${NAME}${JSON.stringify([as, query])}`;
    this.line = this.callShared(module, name) ?? this.callOwn(module, name);
    if (this.line === undefined) return false;
    this.unanswered = 0;
    const { line } = this;
    // The worker takes the lock for lost once it gets it: it must not hear of it before this tab has it.
    void this.life.then((life) => {
      line.say({ do: 'join', query, asks: tokens !== undefined, ...(life && { lock: life.name }), ...(lastId !== undefined && { lastId }) });
    });
    if (lastId !== undefined) return true;
    addEventListener('pagehide', this.hide);
    addEventListener('pageshow', this.show);
    this.timer = setTimeout(() => this.fail(), START_MS);
    return true;
  }

  retryNow(): void {
    this.say({ do: 'retry' });
  }

  renew(token?: string): void {
    this.say({ do: 'renew', ...(token !== undefined && { token }) });
  }

  wake(): void {
    this.say({ do: 'wake' });
  }

  close(): void {
    clearInterval(this.timer);
    removeEventListener('pagehide', this.hide);
    removeEventListener('pageshow', this.show);
    this.say({ do: 'leave' });
    this.line?.hangUp();
    this.line = undefined;
    void this.life.then((life) => life?.end());
  }

  private callShared(module: string, name: string): Line | undefined {
    if (typeof SharedWorker === 'undefined') return undefined;
    try {
      const worker = new SharedWorker(module, { type: 'module', name });
      worker.onerror = () => this.fail();
      const { port } = worker;
      port.onmessage = (event: MessageEvent<Post>) => this.hear(event.data);
      return { say: (order) => port.postMessage(order), hangUp: () => port.close() };
    } catch {
      return undefined;
    }
  }

  private callOwn(module: string, name: string): Line | undefined {
    if (typeof Worker === 'undefined' || typeof BroadcastChannel === 'undefined' || !('locks' in navigator)) return undefined;
    try {
      const worker = new Worker(module, { type: 'module', name });
      worker.onerror = () => this.fail();
      worker.onmessage = (event: MessageEvent<Post>) => this.hear(event.data);
      return { say: (order) => worker.postMessage(order), hangUp: () => worker.terminate() };
    } catch {
      return undefined;
    }
  }

  private say(order: Order): void {
    this.line?.say(order);
  }

  private hear(post: Post): void {
    if (this.line === undefined) return;
    if (this.read === 0) this.guard();
    this.unanswered = 0;
    if ('question' in post) return void this.answer(post.question, post.renew);
    this.read++;
    if (this.reading.read(post.messages)) this.say({ do: 'ack', post: post.post });
    for (const message of post.messages) if (message.type === 'record') this.lastId = message.id;
    if (post.messages.length > 0) this.joining.sink(post.messages);
  }

  private async answer(question: number, renew: boolean): Promise<void> {
    try {
      const token = await this.joining.tokens!(renew);
      this.say({ do: 'token', question, ...(token !== undefined && { token }) });
    } catch (error) {
      this.say({ do: 'token', question, failed: error instanceof Error ? error.message : String(error) });
    }
  }

  /** The worker is one of ours; from now on looks whether it is still there: a browser does not say that it has died. */
  private guard(): void {
    clearInterval(this.timer);
    this.timer = setInterval(() => {
      if (this.unanswered >= 2) {
        this.say({ do: 'leave' });
        this.line?.hangUp();
        this.take(this.lastId);
      }
      this.unanswered++;
      this.say({ do: 'ping' });
    }, PING_MS);
  }

  /** The worker has not started. */
  private fail(): void {
    if (this.line === undefined || this.read > 0) return;
    this.close();
    this.failed();
  }
}

/** A lock that says that this tab lives. */
interface Life {
  readonly name: string;
  end(): void;
}

/** Takes a lock, and resolves when it is held; undefined where there are no locks. */
async function live(): Promise<Life | undefined> {
  if (!('locks' in navigator)) return undefined;
  const name = `livemap tab ${crypto.randomUUID()}`;
  let end!: () => void;
  const over = new Promise<void>((resolve) => (end = resolve));
  await new Promise<void>((held) => {
    navigator.locks.request(name, () => (held(), over)).catch(() => held());
  });
  return { name, end };
}

/** Serves tabs, where this module runs as a worker that `joinShared` has started. */
export function serveShared(): void {
  const name = (globalThis as { name?: unknown }).name;
  if (typeof name !== 'string' || !name.startsWith(NAME)) return;
  if ('SharedWorkerGlobalScope' in globalThis) {
    const board = new Switchboard((query, hear, tokens, _, lastId) => new Connection(query, hear, { tokens, ...(lastId !== undefined && { lastId }) }).open());
    addEventListener('connect', (event) => {
      const port = (event as MessageEvent).ports[0]!;
      port.onmessage = (order: MessageEvent<Order>) => board.obey(port, order.data);
    });
  } else if ('DedicatedWorkerGlobalScope' in globalThis) {
    const board = new Switchboard((query, hear, tokens, memory, lastId) => new Elected(query, hear, tokens, memory, name, lastId));
    const tab: Mailbox = { postMessage: (post) => (globalThis as unknown as Worker).postMessage(post) };
    addEventListener('message', (event) => board.obey(tab, (event as MessageEvent<Order>).data));
  }
}
