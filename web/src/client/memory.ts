import type { Message, RecordMessage } from './protocol.ts';

/** How many records of each log topic are kept for tabs that join later. */
export const KEPT_LOG_RECORDS = 20;

/**
 * What a tab needs that joins a stream which runs already: the status, the
 * clock, the latest record of each key and the last records of each log.
 * Bounded by the stream's own bound of keys.
 */
export class Memory {
  /** The id of the last record that was kept. */
  lastId = '';
  private status: Message | undefined;
  private clock: Message | undefined;
  private readonly states = new Map<string, RecordMessage>();
  private readonly logs = new Map<string, RecordMessage[]>();

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
        this.lastId = message.id;
        if (message.kind === 'state') this.states.set(slot(message.topic, message.key), message);
        else this.append(message);
        break;
      case 'gap': // told to those who were there
      case 'trouble':
    }
  }

  private append(message: RecordMessage): void {
    const log = this.logs.get(message.topic) ?? [];
    log.push(message);
    if (log.length > KEPT_LOG_RECORDS) log.shift();
    this.logs.set(message.topic, log);
  }

  /** The latest record of each key. */
  latest(): Iterable<RecordMessage> {
    return this.states.values();
  }

  /** Whether a key of a state topic lives. */
  has(topic: string, key: string): boolean {
    return this.states.has(slot(topic, key));
  }

  /** Log topics that were heard of. */
  logTopics(): Iterable<string> {
    return this.logs.keys();
  }

  /** All that is kept, in an order in which it can be heard; without the logs for who has heard them. */
  *replay(logs = true): Generator<Message> {
    if (this.clock) yield this.clock;
    yield* this.states.values();
    if (logs) for (const log of this.logs.values()) yield* log;
    if (this.status) yield this.status;
  }
}

function slot(topic: string, key: string): string {
  return `${topic}\n${key}`;
}
