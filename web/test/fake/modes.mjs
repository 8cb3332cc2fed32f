// What the fake server does in each state: the answer where it is no stream,
// and what happens on one. `about` is what the gallery says.

const status = (code, title, more = {}) => ({ about: `${code} ${title}`, refuse: (answer) => answer.problem(code, title, more.headers, more.detail) });

/** Every mode by name. `run` is called on a stream that has been begun; without one it is followed as it should be. */
export const MODES = {
  live: { about: 'as it should be' },
  trickle: { about: 'each write cut into pieces of 7 bytes, also inside a character', run: (s) => (s.trickle(), s.follow()) },
  quiet: { about: 'hello and heartbeats, no record', run: () => {} },
  zeros: { about: 'nothing is sold' },
  moments: { about: 'a milestone every ten seconds' },
  backlog: { about: 'the aggregator catches up: new figures, of three minutes ago' },
  names: { about: 'names in every script' },
  huge: { about: 'numbers beyond what JavaScript counts exactly' },
  hostile: { about: 'names that try to be markup, unknown fields, a broken line', run: (s) => (s.write('data: {"broken\nid: x\nnonsense: 1\n\n: a comment\n\n'), s.follow()) },
  old: { about: 'figures that stopped a minute ago', run: (s) => s.owed(s.log.fresh(), 60_000) },
  stall: { about: 'hello and first records, then silence: no heartbeat either', run: (s) => (s.owed(), s.silence()) },
  'half-open': { about: 'live for 3 s, then the other side is gone without a word', run: (s) => (s.follow(), s.later(3_000, () => s.silence())) },
  silent: { about: 'takes the request and never answers', refuse: () => true },
  drop: { about: 'the connection breaks every 5 s', run: (s) => (s.follow(), s.later(5_000, () => s.destroy())) },
  torn: { about: 'the connection breaks every 2 s, in the middle of an event', run: (s) => (s.follow(), s.later(2_000, () => s.tear())) },
  drain: { about: 'goodbye after 5 s, retry 1.5 s', run: (s) => (s.write('retry: 1500\n'), s.follow(), s.later(5_000, () => s.bye('drain'))) },
  away: { about: 'goodbye after 1 s, 503 from then on', run: (s) => (s.follow(), s.later(1_000, () => (s.switchTo('503'), s.bye('drain')))) },
  overload: { about: 'full: 200, retry, goodbye', run: (s) => s.bye('overload') },
  behind: { about: 'a pod that has not read so far', run: (s) => s.bye('behind') },
  gap: {
    about: 'a gap of shipments every 5 s',
    run: (s) => (s.follow(), s.every(5_000, () => s.send('gap', { topic: 'shipments', partition: 0, reason: 'slow', from: 10, to: 20, at_most: 10 }))),
  },
  lost: { about: 'breaks every 3 s, and remembers nothing: gaps', run: (s) => (s.forget(), s.follow(), s.later(3_000, () => s.destroy())) },
  expired: { about: 'goodbye expired after 3 s, 401 from then on', run: (s) => (s.follow(), s.later(3_000, () => (s.switchTo('401'), s.bye('expired')))) },
  session: {
    about: 'wants a session, which it gives for 4 s',
    refuse: (answer) => !answer.session() && answer.problem(401, 'Unauthorized', { 'WWW-Authenticate': 'Bearer' }),
    run: (s) => (s.follow(), s.later(4_000, () => (s.revoke(), s.bye('expired')))),
  },
  version: { about: 'a server of version 2', hello: { v: 2 } },
  newer: {
    about: 'events, fields and record versions of tomorrow',
    run: (s) => {
      s.follow();
      s.every(500, () => {
        s.send('metrics', { ...s.log.latest.get('metrics').record, v: 2, orders: 'many' });
        s.send('tomorrow', { v: 1, of: 1 });
        s.send('shipments', { v: 2, of: 1 });
      });
    },
  },
  endless: { about: 'an event without an end', run: (s) => (s.owed(), s.every(20, () => s.write(`data: ${'x'.repeat(1 << 18)}`))) },
  html: { about: 'somebody else’s sign-in page', refuse: (answer) => answer.html('<!doctype html><title>Sign in</title>') },
  400: status(400, 'Bad Request', { detail: 'unknown topic "shipmints"' }),
  401: status(401, 'Unauthorized', { headers: { 'WWW-Authenticate': 'Bearer' } }),
  403: status(403, 'Forbidden', { detail: 'the token does not permit the key "world"' }),
  404: status(404, 'Not Found'),
  429: status(429, 'Too Many Requests', { headers: { 'Retry-After': '1' } }),
  500: status(500, 'Internal Server Error'),
  503: status(503, 'Service Unavailable', { headers: { 'Retry-After': '2' } }),
};
