import type { Memory } from './memory.ts';
import type { Gap, Message, Query } from './protocol.ts';

/** What a tab says to its worker. */
export type Order =
  /** `lock`: a Web Lock that the tab holds while it lives. `asks`: it has a token callback. `lastId`: that of the last record that it heard, from a worker that has died. */
  | { readonly do: 'join'; readonly query: Query; readonly lock?: string; readonly asks: boolean; readonly lastId?: string }
  | { readonly do: 'renew'; readonly token?: string }
  /** All posts up to this number were read. */
  | { readonly do: 'ack'; readonly post: number }
  /** The answer to a question for a token. */
  | { readonly do: 'token'; readonly question: number; readonly token?: string; readonly failed?: string }
  /** pause: the page is frozen, and may come back with `go`. ping: is anybody there? */
  | { readonly do: 'retry' | 'wake' | 'leave' | 'pause' | 'go' | 'ping' };

/** What a worker says to its tab. */
export type Post =
  | { readonly post: number; readonly messages: readonly Message[] }
  | { readonly question: number; readonly renew: boolean };

/** A tab that has this much unread is left behind until it has read it: posts, and characters of records. */
export const MAX_UNREAD = { posts: 512, chars: 8 << 20 } as const;

/** The most deleted keys that are remembered for a tab that was left behind. */
const MAX_DELETED = 10_000;

/** A tab says what it has read after this much of it. */
const ACK = { posts: 16, chars: 1 << 20 } as const;

/** What a tab has read and not said yet. */
export class Reading {
  private posts = 0;
  private chars = 0;

  /** Takes note of a post, and says whether it is time to acknowledge it. */
  read(messages: readonly Message[]): boolean {
    this.posts++;
    this.chars += charsOf(messages);
    if (this.posts < ACK.posts && this.chars < ACK.chars) return false;
    this.posts = this.chars = 0;
    return true;
  }
}

function charsOf(messages: readonly Message[]): number {
  return messages.reduce((sum, message) => sum + (message.type === 'record' ? message.text.length : 0), 0);
}

/** Where posts go; a MessagePort, or a dedicated worker's own scope. */
export interface Mailbox {
  postMessage(post: Post): void;
}

/**
 * One tab, seen from its worker. A browser queues what it posts to a page that
 * is frozen or busy without any bound; so the tab acknowledges what it reads, and
 * one that falls too far behind gets no more. When it is back it is told the
 * gaps and the present, as the server does with a slow client.
 */
export class Port {
  private posted = 0;
  private acked = 0;
  private readonly unread: number[] = [];
  private unreadChars = 0;
  private paused = false;
  private behind = false;
  private readonly missed = new Map<string, number>();
  private readonly deleted = new Map<string, Message>();

  constructor(
    private readonly mailbox: Mailbox,
    private readonly memory: Memory,
    /** Whether the tab can be asked for a token. */
    readonly asks: boolean,
  ) {}

  /** Sends what a tab needs to begin; where it has heard the stream before, up to lastId, without the logs. */
  begin(lastId: string | undefined): void {
    if (lastId !== undefined && lastId !== this.memory.lastId) for (const topic of this.memory.logTopics()) this.owe(topic, NaN);
    this.post([...this.gaps(), ...this.memory.replay(lastId === undefined)]);
  }

  tell(messages: readonly Message[]): void {
    if (!this.behind && (this.paused || this.unread.length >= MAX_UNREAD.posts || this.unreadChars >= MAX_UNREAD.chars)) this.behind = true;
    if (this.behind) for (const message of messages) this.miss(message);
    else this.post(messages);
  }

  ask(question: number, renew: boolean): void {
    this.mailbox.postMessage({ question, renew });
  }

  /** Answers a ping. */
  pong(): void {
    this.post([]);
  }

  ack(post: number): void {
    for (; this.acked < post && this.unread.length > 0; this.acked++) this.unreadChars -= this.unread.shift()!;
    this.catchUp();
  }

  pause(on: boolean): void {
    this.paused = on;
    this.catchUp();
  }

  private post(messages: readonly Message[]): void {
    const chars = charsOf(messages);
    this.unread.push(chars);
    this.unreadChars += chars;
    this.mailbox.postMessage({ post: ++this.posted, messages });
  }

  private miss(message: Message): void {
    switch (message.type) {
      case 'record':
        if (message.kind === 'log') this.owe(message.topic, 1);
        break;
      case 'gap':
        this.owe(message.gap.topic, message.gap.at_most ?? NaN);
        break;
      case 'delete':
        if (this.deleted.size < MAX_DELETED) this.deleted.set(`${message.topic}\n${message.key}`, message);
        break;
      case 'status': // the memory has the latest of these
      case 'clock':
      case 'trouble':
    }
  }

  private owe(topic: string, records: number): void {
    this.missed.set(topic, (this.missed.get(topic) ?? 0) + records);
  }

  /** Goes on with a tab that has read all it had, or nearly. */
  private catchUp(): void {
    if (!this.behind || this.paused || this.unread.length >= ACK.posts || this.unreadChars >= ACK.chars) return;
    this.behind = false;
    const deleted = [...this.deleted.values()].filter((m) => m.type === 'delete' && !this.memory.has(m.topic, m.key));
    this.deleted.clear();
    this.post([...deleted, ...this.gaps(), ...this.memory.replay(false)]);
  }

  /** What was missed since this was asked for last. */
  private gaps(): Message[] {
    const gaps = [...this.missed].map(([topic, records]): Message => {
      const gap: Gap = { topic, reason: 'slow', ...(Number.isFinite(records) && { at_most: records }) };
      return { type: 'gap', gap };
    });
    this.missed.clear();
    return gaps;
  }
}
