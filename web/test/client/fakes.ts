/** What the client's unit tests share: a server that answers by hand, in virtual time. */
import { vi } from 'vitest';

/** An answer of RFC 9457. */
export const problem = (status: number, title: string, detail?: string, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ title, status, detail }), { status, headers: { 'Content-Type': 'application/problem+json', ...headers } });

/** Lets everything happen that is due. */
export const settle = () => vi.advanceTimersByTimeAsync(0);

/** The beginning of a stream that owes nothing, from a server whose clock is a quarter second ahead. */
export const hello = () =>
  `retry: 1000\nevent: hello\ndata: {"v":1,"heartbeat_ms":2000,"now":"${new Date(Date.now() + 250).toISOString()}","topics":[{"name":"metrics","kind":"state"},{"name":"shipments","kind":"log"}]}\n\nevent: heartbeat\ndata: {}\n\n`;

/** A record of the state topic. */
export const metrics = (orders: number, id: string, scope = 'world') => `event: metrics\ndata: {"scope":"${scope}","orders":${orders}}\nid: ${id}\n\n`;

/** A record of the log topic. */
export const shipments = (of: number, id: string) => `event: shipments\ndata: {"scope":"world","of":${of}}\nid: ${id}\n\n`;

/** A server that answers one request at a time by hand. */
export class Server {
  requests: { url: string; headers: Record<string, string>; cache: string | undefined; aborted: boolean }[] = [];
  /** The next answer, instead of a stream. */
  next: (() => Response) | undefined;
  /** The answers of POST requests. */
  sessions: (() => Response)[] = [];
  posts = 0;
  private controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  fetch = (url: string, init: RequestInit): Promise<Response> => {
    if (init.method === 'POST') {
      this.posts++;
      return Promise.resolve().then(() => (this.sessions.shift() ?? (() => problem(404, 'Not Found')))());
    }
    const request = { url, headers: init.headers as Record<string, string>, cache: init.cache, aborted: false };
    this.requests.push(request);
    if (this.next) {
      const answer = this.next;
      this.next = undefined;
      return Promise.resolve().then(answer);
    }
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (this.controller = controller) });
    const { controller } = this;
    init.signal!.addEventListener('abort', () => {
      request.aborted = true;
      controller?.error(new Error('aborted'));
    });
    return Promise.resolve(new Response(body, { headers: { 'Content-Type': 'text/event-stream' } }));
  };

  async send(text: string): Promise<void> {
    await settle();
    this.controller!.enqueue(new TextEncoder().encode(text));
    await settle();
  }

  async end(): Promise<void> {
    this.controller!.close();
    await settle();
  }

  async fail(): Promise<void> {
    this.controller!.error(new TypeError('network error'));
    await settle();
  }
}
