import { connect } from '../client/index.ts';
import { Live, type Listener } from './live.svelte.ts';
import { fetchPiece } from './pieces.ts';

/** The scope of all orders. */
export const WORLD = 'world';

/** Opens the stream of one scope, at the endpoint beside the page, with a session where it needs one. */
export function openLive(scope: string, listener: Listener): Live {
  const url = new URL('v1/events', document.baseURI);
  const stream = connect({ url, topics: ['metrics', 'history', 'trending', 'shipments'], keys: [scope], session: true });
  return new Live(scope, stream, listener, fetchPiece(url, scope));
}
