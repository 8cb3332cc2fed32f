import { expect, it } from 'vitest';
import { KEPT_LOG_RECORDS, Memory } from '../../src/client/memory.ts';
import type { Message } from '../../src/client/protocol.ts';

const record = (kind: 'state' | 'log', key: string, value: number): Message => ({ type: 'record', topic: kind, kind, key, text: String(value), id: '' });

it('gives who joins late the latest of each key, the last of each log, and the status at the end', () => {
  const memory = new Memory();
  memory.keep({ type: 'status', status: { phase: 'connecting', since: 0 } });
  memory.keep({ type: 'clock', offset: 5 });
  memory.keep(record('state', 'a', 1));
  memory.keep(record('state', 'b', 2));
  memory.keep(record('state', 'a', 3));
  memory.keep({ type: 'delete', topic: 'state', key: 'b' });
  for (let i = 0; i < KEPT_LOG_RECORDS + 5; i++) memory.keep(record('log', '', i));
  memory.keep({ type: 'status', status: { phase: 'live', since: 1 } });

  const replayed = [...memory.replay()];
  expect(replayed[0]).toEqual({ type: 'clock', offset: 5 });
  expect(replayed[1]).toEqual(record('state', 'a', 3));
  expect(replayed.slice(2, -1).map((m) => (m.type === 'record' ? Number(m.text) : m))).toEqual(
    Array.from({ length: KEPT_LOG_RECORDS }, (_, i) => i + 5),
  );
  expect(replayed.at(-1)).toEqual({ type: 'status', status: { phase: 'live', since: 1 } });
});
