// One client's stream at the fake server.
import { disguise } from './disguise.mjs';
import { TOPICS } from './log.mjs';

export const HEARTBEAT_MS = 2_000;

const position = (id) => (/^at-\d+$/.test(id) ? Number(id.slice(3)) : undefined);

/** What modes do things with. */
export class Stream {
  #timers = [];
  #forward = (entry) => this.#entry(entry);
  #trickled;
  #forgetful = false;

  constructor(state, mode, query, request, response) {
    Object.assign(this, { state, mode, response, log: state.log });
    this.topics = (query.get('topics') ?? '').split(',');
    /** The one scope there is has whatever name was asked for. */
    this.scope = query.get('keys') ?? 'world';
    this.after = position(request.headers['last-event-id'] ?? '');
    this.at = this.after ?? 0;
    response.on('close', () => {
      state.open--;
      this.silence();
    });
  }

  /** The head, and hello. */
  begin(hello = {}) {
    this.state.open++;
    this.response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache, no-transform', 'X-Accel-Buffering': 'no' });
    this.response.flushHeaders();
    this.write('retry: 1000\n');
    const topics = TOPICS.filter((t) => this.topics.includes(t.name));
    this.send('hello', { v: 1, server: 'fake', heartbeat_ms: HEARTBEAT_MS, now: new Date().toISOString(), topics, ...hello }, '');
    this.every(HEARTBEAT_MS, () => this.#beat());
  }

  /** What is owed from before, and all that comes. */
  follow() {
    this.owed();
    this.log.feed.on('entry', this.#forward);
  }

  /** What is owed from before: all since the id, or a fresh start. */
  owed(entries = this.#since(), shift = 0) {
    for (const entry of entries) this.#entry(entry, shift);
    this.at = this.log.seq;
    this.#beat();
  }

  /** A closed piece of the past. */
  range(since, until) {
    for (const entry of this.log.between(since, until)) if (this.after === undefined || entry.seq >= this.after) this.#entry(entry);
    this.bye('end');
  }

  /** Ids of this client mean nothing to it. */
  forget() {
    this.#forgetful = true;
  }

  send(name, record, id = `at-${this.at}`) {
    this.write(`event: ${name}\ndata: ${JSON.stringify(record)}\n${id ? `id: ${id}\n` : ''}\n`);
  }

  write(text) {
    if (this.#trickled) this.#trickled(text);
    else this.response.write(text);
  }

  every(ms, call) {
    this.#timers.push(setInterval(call, ms));
  }

  later(ms, call) {
    this.#timers.push(setTimeout(call, ms));
  }

  /** From now on in pieces of 7 bytes. */
  trickle() {
    let queue = Buffer.alloc(0);
    this.every(20, () => {
      for (let i = 0; i < 400 && queue.length > 0; i++) {
        this.response.write(queue.subarray(0, 7));
        queue = queue.subarray(7);
      }
    });
    this.#trickled = (text) => (queue = Buffer.concat([queue, Buffer.from(text)]));
  }

  /** Nothing more, on an open connection. */
  silence() {
    this.#timers.forEach(clearInterval);
    this.log.feed.off('entry', this.#forward);
  }

  destroy() {
    this.response.destroy();
  }

  /** Breaks inside an event whose id must not count. */
  tear() {
    this.silence();
    this.response.write(`event: shipments\ndata: {"v":1,"scope":"world","of":1000000}\nid: at-${this.log.seq + 1000}\n`, () => setTimeout(() => this.destroy(), 50));
  }

  bye(reason) {
    this.silence();
    this.send('goodbye', { reason }, '');
    this.response.end();
  }

  switchTo(mode) {
    this.state.mode = mode;
  }

  /** The session of this client counts no more. */
  revoke() {
    this.state.sessions.clear();
  }

  #since() {
    if (this.after === undefined) return this.log.fresh();
    const entries = this.#forgetful ? undefined : this.log.since(this.after);
    if (entries) return entries;
    for (const topic of this.topics) this.send('gap', { topic, reason: 'unknown_id' });
    return this.log.fresh();
  }

  #entry({ seq, topic, record }, shift = 0) {
    if (!this.topics.includes(topic)) return;
    this.at = seq + 1;
    const aged = shift ? { ...record, emitted_at: new Date(Date.parse(record.emitted_at) - shift).toISOString() } : record;
    this.send(topic, disguise(this.mode, { ...aged, scope: this.scope }));
  }

  #beat() {
    this.send('heartbeat', { now: new Date().toISOString() });
  }
}
