import { describe, expect, it } from 'vitest';
import { Memory } from '../../src/client/memory.ts';
import { MAX_UNREAD, Port, Reading, type Post } from '../../src/client/port.ts';
import type { Message } from '../../src/client/protocol.ts';

const log = (n: number, text = String(n)): Message => ({ type: 'record', topic: 'shipments', kind: 'log', key: 'world', text, id: `l${n}` });
const state = (key: string, n: number): Message => ({ type: 'record', topic: 'metrics', kind: 'state', key, text: String(n), id: `s${n}` });

/** A tab that reads what it is sent only when told to. */
function tab() {
  const memory = new Memory();
  const posts: Extract<Post, { post: number }>[] = [];
  const reading = new Reading();
  const port = new Port({ postMessage: (post) => void ('post' in post && posts.push(post)) }, memory, false);
  return {
    memory, port, posts,
    tell: (...messages: Message[]) => {
      for (const message of messages) memory.keep(message);
      port.tell(messages);
    },
    /** Reads all posts, and says so as tabs do: not of each. */
    read: (): Message[] => {
      const read = posts.splice(0);
      for (const { post, messages } of read) if (reading.read(messages)) port.ack(post);
      return read.flatMap((p) => p.messages);
    },
  };
}

describe('a tab at its worker', () => {
  it('gets everything while it reads', () => {
    const t = tab();
    for (let i = 0; i < 3 * MAX_UNREAD.posts; i++) {
      t.tell(log(i));
      expect(t.read()).toEqual([log(i)]);
    }
  });

  it('is left behind when it reads nothing, and the rest is bounded', () => {
    const t = tab();
    for (let i = 0; i < 10_000; i++) t.tell(log(i));
    expect(t.posts).toHaveLength(MAX_UNREAD.posts);
  });

  it('is left behind by bytes, too', () => {
    const t = tab();
    for (let i = 0; i < 20; i++) t.tell(log(i, 'x'.repeat(1 << 20)));
    expect(t.posts).toHaveLength(MAX_UNREAD.chars >> 20);
    t.read();
    expect(t.read().filter((m) => m.type === 'gap')).toEqual([{ type: 'gap', gap: { topic: 'shipments', reason: 'slow', at_most: 12 } }]);
  });

  it('is told exactly what it missed, and the present', () => {
    const t = tab();
    t.tell(state('gone', 1), state('world', 2));
    for (let i = 0; i < 1_000; i++) t.tell(log(i));
    t.tell(state('world', 3), { type: 'delete', topic: 'metrics', key: 'gone' });
    t.tell({ type: 'status', status: { phase: 'reconnecting', since: 5 } });
    const heard = t.read().filter((m) => m.type === 'record' && m.kind === 'log').length;
    const back = t.read();
    expect(back).toEqual([
      { type: 'delete', topic: 'metrics', key: 'gone' },
      { type: 'gap', gap: { topic: 'shipments', reason: 'slow', at_most: 1_000 - heard } },
      state('world', 3),
      { type: 'status', status: { phase: 'reconnecting', since: 5 } },
    ]);
    t.tell(log(1_000));
    expect(t.read()).toEqual([log(1_000)]);
  });

  it('hears of a gap that it missed', () => {
    const t = tab();
    t.port.pause(true);
    t.tell(log(1), { type: 'gap', gap: { topic: 'shipments', reason: 'expired' } });
    t.tell({ type: 'gap', gap: { topic: 'clicks', reason: 'slow', at_most: 7 } });
    expect(t.read()).toEqual([]);
    t.port.pause(false);
    expect(t.read()).toEqual([
      { type: 'gap', gap: { topic: 'shipments', reason: 'slow' } },
      { type: 'gap', gap: { topic: 'clicks', reason: 'slow', at_most: 7 } },
    ]);
  });

  it('that comes from a worker that died is told a gap only where there is one', () => {
    for (const [lastId, gap] of [['l1', false], ['l0', true]] as const) {
      const t = tab();
      t.memory.keep(log(0));
      t.memory.keep(log(1));
      t.port.begin(lastId);
      expect(t.read()).toEqual(gap ? [{ type: 'gap', gap: { topic: 'shipments', reason: 'slow' } }] : []);
    }
  });
});
