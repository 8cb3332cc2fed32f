import { range } from '../client/index.ts';
import type { Shipments, Window } from '../client/records.ts';
import type { FetchPiece } from './replay.ts';

/** Returns what fetches closed pieces of the past of one scope from the events endpoint. */
export function fetchPiece(url: URL, scope: string): FetchPiece {
  return async (from, to, batchesTo, signal) => {
    const records = async <T>(topic: string, until: number) => {
      const found = await range<T>({ url, topics: [topic], keys: [scope], since: from, until, session: true, signal });
      return found.records.map((entry) => entry.value);
    };
    const [windows, batches] = await Promise.all([records<Window>('windows', to), records<Shipments>('shipments', batchesTo)]);
    return { windows, batches };
  };
}
