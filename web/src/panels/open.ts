import { connect } from '../client/index.ts';
import { Live } from './live.svelte.ts';
import { fetchPiece } from './pieces.ts';

/** The scope of all orders. */
const WORLD = 'world';

/** Opens the stream of a country, or of the world, at the endpoint beside the page, with a session where it needs one. */
export function openLive(country: string | undefined): Live {
  const scope = country ? `country/${country}` : WORLD;
  const url = new URL('v1/events', document.baseURI);
  const stream = connect({ url, topics: ['metrics', 'history', 'trending', 'shipments'], keys: [scope], session: true });
  return new Live(scope, stream, fetchPiece(url, scope));
}
