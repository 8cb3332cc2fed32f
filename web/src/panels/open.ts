import { connect } from '../client/index.ts';
import { Live, SCOPE } from './live.svelte.ts';

/** Opens the page's stream, at the endpoint beside the page, with a session where it needs one. */
export function openLive(): Live {
  const url = new URL('v1/events', document.baseURI);
  return new Live(connect({ url, topics: ['metrics', 'history', 'trending', 'shipments'], keys: [SCOPE], session: true }));
}
