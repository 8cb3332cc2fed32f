import { Connection } from './connection.ts';
import type { Memory } from './memory.ts';
import type { Message, Query, Sink, Source, Tokens } from './protocol.ts';

/** The leader says something this often at least, in milliseconds. */
export const BEAT_MS = 2_000;

/** A leader that said nothing for so long, or half as long again, is frozen: another takes its place, in milliseconds. */
export const LEADERLESS_MS = 15_000;

/** A leader that stood still for so long resigns by itself, so that no two lead when it thaws, in milliseconds. */
export const FROZEN_MS = 10_000;

/** A new leader first hears out what the one before it still had said, in milliseconds. */
const GRACE_MS = 250;

/** A worker that waits to be told the present asks this often at most, in milliseconds. */
const ASK_MS = 1_000;

/** What travels on the channel between the workers of an origin. */
type Call =
  /** From the leader of that term, to one worker or to all. */
  | { readonly term: number; readonly leader: string; readonly to?: string; readonly messages: readonly Message[]; readonly lastId: string }
  /** A worker is new: what is there to know? */
  | { readonly join: string }
  /** A tab of a follower wants this. */
  | { readonly order: 'retry' | 'wake' | 'renew'; readonly token?: string };

/** What an election needs of the browser; tests put in their own. */
export interface Commons {
  channel(name: string): Pick<BroadcastChannel, 'onmessage' | 'postMessage' | 'close'>;
  readonly locks: Pick<LockManager, 'request'>;
  connect(query: Query, hear: Sink, tokens: Tokens | undefined, lastId: string, memory: Memory): Source & { readonly lastId: string };
}

const browser: Commons = {
  channel: (name) => new BroadcastChannel(name),
  get locks() {
    return navigator.locks;
  },
  connect: (query, hear, tokens, lastId, memory) => {
    const connection = new Connection(query, hear, { tokens, lastId });
    for (const { topic, key } of memory.latest()) connection.known(topic, key);
    return connection.open();
  },
};

/**
 * One connection for all tabs without a SharedWorker: each tab has a worker of
 * its own, a Web Lock says whose worker keeps the connection (the leader), and the
 * others (followers) hear it on a BroadcastChannel. When the leader's tab goes, the
 * lock passes on, and the next leader resumes with the last id that it heard: no
 * record is lost. A leader that is frozen, as phones do with tabs, keeps its lock
 * but says nothing: a follower steals the lock. Terms tell a leader that thaws
 * from the one that took its place.
 */
export class Elected implements Source {
  private readonly me = crypto.randomUUID();
  private readonly channel: Pick<BroadcastChannel, 'onmessage' | 'postMessage' | 'close'>;
  private connection: (Source & { readonly lastId: string }) | undefined;
  private term = 0;
  /** Whether the present is known: told by a leader, or heard as one. */
  private joined = false;
  /** The id behind the last that was passed on. */
  private lastId = '';
  private heardAt = Date.now();
  private tickedAt = Date.now();
  private askedAt = 0;
  /** Drawn, so that not all followers rob a frozen leader at once. */
  private readonly patience = LEADERLESS_MS * (1 + Math.random() / 2);
  private closed = false;
  private release: (() => void) | undefined;
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(
    private readonly query: Query,
    private readonly hear: Sink,
    private readonly tokens: Tokens | undefined,
    private readonly memory: Memory,
    private readonly name: string,
    /** The tab has heard the stream before, up to there. */
    private readonly before: string | undefined,
    private readonly commons: Commons = browser,
  ) {
    this.lastId = before ?? '';
    this.channel = commons.channel(name);
    this.channel.onmessage = (event: MessageEvent<Call>) => this.take(event.data);
    this.timer = setInterval(() => this.tick(), BEAT_MS);
    this.ask();
    void this.stand({});
  }

  retryNow(): void {
    if (this.connection) this.connection.retryNow();
    else this.say({ order: 'retry' });
  }

  wake(): void {
    if (this.connection) this.connection.wake();
    else this.say({ order: 'wake' });
  }

  renew(token?: string): void {
    if (this.connection) this.connection.renew(token);
    else this.say({ order: 'renew', ...(token !== undefined && { token }) });
  }

  close(): void {
    this.closed = true;
    clearInterval(this.timer);
    this.resign();
    this.channel.close();
  }

  /** Waits for the lock and leads while it has it. */
  private async stand(options: LockOptions): Promise<void> {
    try {
      await this.commons.locks.request(`${this.name} leader`, options, () => this.lead());
    } catch {
      this.resign(); // stolen, while this worker was frozen
    }
    // Waits in line again, for when the next leader goes.
    if (!this.closed && options.steal !== true) void this.stand({});
  }

  /** Leads until the returned promise ends. */
  private async lead(): Promise<void> {
    let release!: () => void;
    const over = new Promise<void>((resolve) => (release = resolve));
    this.release = release;
    if (this.joined) await new Promise((resolve) => setTimeout(resolve, GRACE_MS));
    if (this.release !== release) return; // robbed already
    this.term++;
    this.joined = true;
    const connection = this.commons.connect(this.query, (messages) => this.heard(messages), this.tokens, this.lastId, this.memory);
    this.connection = connection;
    return over;
  }

  private resign(): void {
    const { connection, release } = this;
    this.connection = undefined;
    this.release = undefined;
    this.heardAt = Date.now();
    connection?.close();
    release?.();
  }

  /** The connection has something. */
  private heard(messages: readonly Message[]): void {
    this.thaw();
    if (this.release === undefined) return; // it was given up: who leads now gets that, too
    this.hear(messages);
    this.tell(messages);
  }

  private tell(messages: readonly Message[], to?: string): void {
    this.lastId = this.connection?.lastId ?? this.lastId;
    this.say({ term: this.term, leader: this.me, messages, lastId: this.lastId, ...(to !== undefined && { to }) });
  }

  private take(call: Call): void {
    this.thaw();
    if ('join' in call) {
      if (this.connection) this.tell([...this.memory.replay()], call.join);
    } else if ('order' in call) {
      if (call.order === 'renew') this.connection?.renew(call.token);
      else if (call.order === 'retry') this.connection?.retryNow();
      else this.connection?.wake();
    } else if (!this.connection && call.term >= this.term) this.follow(call);
  }

  private follow({ term, to, messages, lastId }: Extract<Call, { term: number }>): void {
    this.heardAt = Date.now();
    this.term = term;
    if (to !== undefined && (to !== this.me || this.joined)) return;
    if (to === undefined && !this.joined) return this.ask(); // what came before is not known yet
    this.joined = true;
    this.lastId = lastId;
    const heard = to !== undefined && this.before !== undefined ? messages.filter((m) => m.type !== 'record' || m.kind === 'state') : messages;
    if (heard.length > 0) this.hear(heard);
  }

  private ask(): void {
    if (Date.now() - this.askedAt < ASK_MS) return;
    this.askedAt = Date.now();
    this.say({ join: this.me });
  }

  /** Notices that this worker stood still: others may have taken its place, and what it should have heard is in its queue. */
  private thaw(): void {
    const still = Date.now() - this.tickedAt;
    if (still <= 3 * BEAT_MS) return;
    this.tickedAt = this.heardAt = Date.now();
    if (still > FROZEN_MS && this.connection) this.resign();
  }

  private tick(): void {
    this.thaw();
    this.tickedAt = Date.now();
    if (this.connection) return this.tell([]);
    if (this.tickedAt - this.heardAt <= this.patience) return;
    this.heardAt = this.tickedAt;
    void this.stand({ steal: true });
  }

  private say(call: Call): void {
    if (!this.closed) this.channel.postMessage(call);
  }
}
