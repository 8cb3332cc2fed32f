// Packs the client for npm: the very file that a server serves at /livemap.js,
// with its types, README and licences.
//
//   npm run build && node scripts/pack.mjs [--to DIR]     prints the path of the package
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const CLIENT = path('src/client');

/** Declarations of the public names, and of what they are made of. */
function types(to) {
  const all = mkdtempSync(join(tmpdir(), 'livemap-types-'));
  execFileSync(process.execPath, [
    path('node_modules/typescript/bin/tsc'), join(CLIENT, 'index.ts'), '--ignoreConfig', '--declaration', '--emitDeclarationOnly', '--stripInternal', '--outDir', all,
    '--target', 'ES2022', '--module', 'ESNext', '--moduleResolution', 'bundler', '--allowImportingTsExtensions', '--verbatimModuleSyntax',
    '--strict', '--skipLibCheck', '--lib', 'ES2023,DOM,DOM.Iterable', '--types', 'node',
  ], { cwd: path(''), stdio: ['ignore', 'inherit', 'inherit'] });
  mkdirSync(to);
  const copy = (name, done) => {
    if (done.has(name)) return;
    done.add(name);
    const text = readFileSync(join(all, `${name}.d.ts`), 'utf8').replaceAll(/from '\.\/(\w+)\.ts'/g, (_, other) => {
      copy(other, done);
      return `from './${other}.js'`;
    });
    writeFileSync(join(to, `${name}.d.ts`), text);
  };
  copy('index', new Set());
  rmSync(all, { recursive: true });
}

/** Makes the package in a folder and returns its path. */
export function pack(to = path('')) {
  const stage = mkdtempSync(join(tmpdir(), 'livemap-client-'));
  try {
    for (const name of ['package.json', 'README.md']) copyFileSync(join(CLIENT, name), join(stage, name));
    for (const name of ['livemap.js', 'licenses.txt']) copyFileSync(path(`dist/${name}`), join(stage, name));
    copyFileSync(path('../LICENSE'), join(stage, 'LICENSE'));
    types(join(stage, 'types'));
    const said = execFileSync('npm', ['pack', '--json', '--pack-destination', to], { cwd: stage, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    return join(to, JSON.parse(said)[0].filename);
  } finally {
    rmSync(stage, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const at = process.argv.indexOf('--to');
  process.stdout.write(`${pack(at < 0 ? undefined : process.argv[at + 1])}\n`);
}
