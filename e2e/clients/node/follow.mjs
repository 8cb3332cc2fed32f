// Follows a stream with the npm package eventsource and prints a line for each
// event: its name, a tab, its data. NODE_EXTRA_CA_CERTS says whom to trust.
//
//	node follow.mjs URL
import { EventSource } from 'eventsource';

const source = new EventSource(process.argv[2]);
for (const name of ['hello', 'numbers', 'gap', 'goodbye'])
  source.addEventListener(name, (event) => console.log(`${name}\t${event.data}`));
