/** The package for npm: packed, unpacked elsewhere, used from Node against a stream, and type-checked as a user would. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startFake } from './fake/server.mjs';
import { pack } from '../scripts/pack.mjs';

const home = mkdtempSync(join(tmpdir(), 'livemap-package-'));
const installed = join(home, 'node_modules', 'livemap-client');

beforeAll(() => {
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['xf', pack(home), '-C', installed, '--strip-components=1']);
  writeFileSync(join(home, 'package.json'), '{"type":"module"}');
}, 120_000);
afterAll(() => rmSync(home, { recursive: true }));

it('streams in Node, and needs nothing else', async () => {
  const server = await startFake();
  try {
    writeFileSync(join(home, 'main.js'), `
      import { connect } from 'livemap-client';
      const stream = connect({ url: process.argv[2] + '/v1/events', topics: ['metrics', 'shipments'] });
      for await (const { value } of stream.log('shipments')) {
        console.log(JSON.stringify([stream.status.phase, stream.state('metrics').get('world').scope, value.of]));
        break;
      }
      stream.close();
    `);
    const said = await new Promise<string>((resolve, reject) => {
      void import('node:child_process').then(({ execFile }) => execFile(process.execPath, ['main.js', server.url], { cwd: home }, (error, out) => (error ? reject(error) : resolve(out))));
    });
    expect(JSON.parse(said)).toEqual(['live', 'world', 20]);
  } finally {
    await server.close();
  }
}, 120_000);

it('has types that hold', () => {
  const check = (code: string) => {
    writeFileSync(join(home, 'user.ts'), code);
    const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
    const options = ['--noEmit', '--strict', '--target', 'ES2022', '--module', 'NodeNext', '--lib', 'ES2023,DOM,DOM.Iterable'];
    try {
      execFileSync(process.execPath, [tsc, 'user.ts', '--ignoreConfig', ...options], { cwd: home, encoding: 'utf8' });
      return '';
    } catch (error) {
      return (error as { stdout: string }).stdout;
    }
  };
  const good = `
    import { connect, range, LivemapError, type Shipments, type Window, type Status } from 'livemap-client';
    const stream = connect({ url: 'https://map.example/v1/events', topics: ['metrics'], token: async (renew) => (renew ? 'a' : undefined) });
    const map: ReadonlyMap<string, Window> = stream.state<Window>('metrics');
    stream.onLog<Shipments>('shipments', (batch, key, { at }) => [batch.of.toFixed(), key.length, at?.length]);
    stream.onStatus((status: Status) => status.error?.code === 'unauthorized' && stream.renew('b'));
    for await (const { value, missed } of stream.log<Shipments>('shipments')) value.arcs[0]?.n.toFixed(missed);
    const { records } = await range<Shipments>({ topics: ['shipments'], since: '-5m', until: new Date() }).catch((e: LivemapError) => { throw e.code; });
    export const of: number = records[0]!.value.of + map.size;
  `;
  expect(check(good)).toBe('');
  expect(check(`import { connect } from 'livemap-client'; connect({ topic: 'metrics' });`)).toContain("'topic' does not exist");
}, 120_000);
