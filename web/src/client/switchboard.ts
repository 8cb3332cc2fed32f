import { Memory } from './memory.ts';
import { Port, type Mailbox, type Order } from './port.ts';
import type { Message, Query, Sink, Source, Tokens } from './protocol.ts';

/** A tab has this long to answer a question for a token, in milliseconds; then the next one is asked. */
const ANSWER_MS = 10_000;

/** Opens the source of a worker's stream; `lastId`: a tab has heard it before, up to there. */
export type Opener = (query: Query, hear: Sink, tokens: Tokens | undefined, memory: Memory, lastId: string | undefined) => Source;

/** The worker's side: one stream, any number of tabs. */
export class Switchboard {
  private readonly ports = new Map<Mailbox, Port>();
  private readonly memory = new Memory();
  private source: Source | undefined;
  private questions = 0;
  private readonly answers = new Map<number, (order: Extract<Order, { do: 'token' }>) => void>();

  constructor(private readonly open: Opener) {}

  obey(from: Mailbox, order: Order): void {
    const port = this.ports.get(from);
    switch (order.do) {
      case 'join':
        return this.join(from, order);
      case 'retry':
        return this.source?.retryNow();
      case 'renew':
        return this.source?.renew(order.token);
      case 'wake':
        return this.source?.wake();
      case 'leave':
        return void this.ports.delete(from);
      case 'pause':
      case 'go':
        return port?.pause(order.do === 'pause');
      case 'ping':
        return port?.pong();
      case 'ack':
        return port?.ack(order.post);
      case 'token':
        this.answers.get(order.question)?.(order);
    }
  }

  private join(from: Mailbox, { query, lock, asks, lastId }: Extract<Order, { do: 'join' }>): void {
    const port = new Port(from, this.memory, asks);
    this.ports.set(from, port);
    // A port does not say when its tab has died; a lock that comes free does.
    if (lock !== undefined) void navigator.locks.request(lock, () => void this.ports.delete(from));
    port.begin(lastId);
    const tokens: Tokens | undefined = asks ? (renew) => this.ask(renew) : undefined;
    this.source ??= this.open(query, (messages) => this.tell(messages), tokens, this.memory, lastId);
  }

  private tell(messages: readonly Message[]): void {
    for (const message of messages) this.memory.keep(message);
    for (const port of this.ports.values()) port.tell(messages);
  }

  /** Asks the tabs for a token, the newest first, until one answers. */
  private async ask(renew: boolean): Promise<string | undefined> {
    let why = 'no tab is there to be asked';
    for (const port of [...this.ports.values()].reverse()) {
      if (!port.asks) continue;
      const answer = await this.question(port, renew);
      if (answer?.failed === undefined && answer) return answer.token;
      why = answer?.failed ?? 'no tab answered';
    }
    throw new Error(why);
  }

  private async question(port: Port, renew: boolean): Promise<Extract<Order, { do: 'token' }> | undefined> {
    const question = ++this.questions;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise((resolve) => {
        this.answers.set(question, resolve);
        timer = setTimeout(() => resolve(undefined), ANSWER_MS);
        port.ask(question, renew);
      });
    } finally {
      clearTimeout(timer);
      this.answers.delete(question);
    }
  }
}
