import { Connection } from './connection.ts';
import { Memory } from './memory.ts';
import type { Message, Query, Source } from './protocol.ts';

/** Part of a worker's name: tabs of another version start their own. */
const PROTOCOL = 1;

/** What a tab says to the worker. `lock` is a Web Lock that the tab holds while it lives. */
type Order =
  | { readonly do: 'join'; readonly query: Query; readonly lock?: string }
  | { readonly do: 'retry' | 'renew' | 'leave' };

/**
 * Joins the connection that all tabs of this origin share, in a SharedWorker
 * made of the module at `module`. Returns undefined where that cannot be: no
 * SharedWorker (Android's Chromium), or a module of another origin. Where the
 * worker turns out not to start (a policy forbids it), `failed` is called.
 */
export function joinShared(module: string, query: Query, sink: (message: Message) => void, failed: () => void): Source | undefined {
  if (typeof SharedWorker === 'undefined' || new URL(module).origin !== location.origin) return undefined;
  let worker: SharedWorker;
  try {
    worker = new SharedWorker(module, { type: 'module', name: `livemap ${PROTOCOL} ${JSON.stringify(query)}` });
  } catch {
    return undefined;
  }
  worker.onerror = failed;
  const { port } = worker;
  const say = (order: Order) => port.postMessage(order);
  const lock = holdLock();
  const join = () => say({ do: 'join', query, ...(lock !== undefined && { lock }) });
  const leave = () => say({ do: 'leave' });
  const back = (event: PageTransitionEvent) => {
    if (event.persisted) join();
  };
  port.onmessage = (event: MessageEvent<Message>) => sink(event.data);
  addEventListener('pagehide', leave);
  addEventListener('pageshow', back);
  join();
  return {
    retryNow: () => say({ do: 'retry' }),
    renew: () => say({ do: 'renew' }),
    close: () => {
      removeEventListener('pagehide', leave);
      removeEventListener('pageshow', back);
      leave();
      port.close();
    },
  };
}

/** Takes a lock for the life of this tab, and returns its name. */
function holdLock(): string | undefined {
  if (!('locks' in navigator)) return undefined;
  const name = `livemap ${crypto.randomUUID()}`;
  void navigator.locks.request(name, () => new Promise(() => {}));
  return name;
}

/** The worker's side: one connection, any number of tabs. */
class Switchboard {
  private readonly ports = new Set<MessagePort>();
  private readonly memory = new Memory();
  private connection: Connection | undefined;

  admit(port: MessagePort): void {
    port.onmessage = (event: MessageEvent<Order>) => this.obey(port, event.data);
  }

  private obey(port: MessagePort, order: Order): void {
    switch (order.do) {
      case 'join':
        this.join(port, order.query, order.lock);
        break;
      case 'retry':
        this.connection?.retryNow();
        break;
      case 'renew':
        this.connection?.renew();
        break;
      case 'leave':
        this.ports.delete(port);
        break;
    }
  }

  private join(port: MessagePort, query: Query, lock: string | undefined): void {
    for (const message of this.memory.replay()) port.postMessage(message);
    this.ports.add(port);
    // A port does not say when its tab has died; a lock that comes free does.
    if (lock !== undefined) void navigator.locks.request(lock, () => void this.ports.delete(port));
    this.connection ??= new Connection(query, (message) => this.tell(message)).open();
  }

  private tell(message: Message): void {
    this.memory.keep(message);
    for (const port of this.ports) port.postMessage(message);
  }
}

/** Serves tabs, where this module runs as a SharedWorker. */
export function serveShared(): void {
  if (!('SharedWorkerGlobalScope' in globalThis)) return;
  const board = new Switchboard();
  addEventListener('connect', (event) => {
    const port = (event as MessageEvent).ports[0];
    if (port) board.admit(port);
  });
}
