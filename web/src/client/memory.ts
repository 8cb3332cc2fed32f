import type { Message } from './protocol.ts';

/** How many records of each log topic a worker keeps for tabs that join later. */
export const KEPT_LOG_RECORDS = 20;

/**
 * What a tab needs that joins a stream which runs already: the status, the
 * clock, the latest record of each key and the last records of each log.
 */
export class Memory {
  private status: Message | undefined;
  private clock: Message | undefined;
  private readonly states = new Map<string, Message>();
  private readonly logs = new Map<string, Message[]>();

  keep(message: Message): void {
    switch (message.type) {
      case 'status':
        this.status = message;
        break;
      case 'clock':
        this.clock = message;
        break;
      case 'delete':
        this.states.delete(slot(message.topic, message.key));
        break;
      case 'record':
        if (message.kind === 'state') this.states.set(slot(message.topic, message.key), message);
        else this.append(message.topic, message);
        break;
      case 'gap': // told to those who were there
    }
  }

  private append(topic: string, message: Message): void {
    const log = this.logs.get(topic) ?? [];
    log.push(message);
    if (log.length > KEPT_LOG_RECORDS) log.shift();
    this.logs.set(topic, log);
  }

  /** All that is kept, in an order in which it can be heard. */
  *replay(): Generator<Message> {
    if (this.clock) yield this.clock;
    yield* this.states.values();
    for (const log of this.logs.values()) yield* log;
    if (this.status) yield this.status;
  }
}

function slot(topic: string, key: string): string {
  return `${topic}\n${key}`;
}
