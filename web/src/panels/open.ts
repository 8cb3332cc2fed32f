import { connect } from '../client/index.ts';
import { Live, SCOPE } from './live.svelte.ts';
import { keepSession } from './session.ts';

/** Opens the page's stream, at the endpoint beside the page, with a session where it needs one. */
export function openLive(): Live {
  const url = new URL('v1/events', document.baseURI).href;
  const stream = connect({ url, topics: ['metrics', 'history', 'trending', 'shipments'], keys: [SCOPE] });
  keepSession(stream, new URL('v1/session', document.baseURI).href);
  return new Live(stream);
}
