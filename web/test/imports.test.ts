/** Which part may import which, as README.md says. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const SRC = fileURLToPath(new URL('../src/', import.meta.url));

/** Modules that a folder's files import, as paths below src, or names of packages. */
function imports(folder: string): string[] {
  const files = readdirSync(join(SRC, folder), { recursive: true, encoding: 'utf8' }).filter((name) => /\.(ts|svelte)$/.test(name));
  expect(files.length).toBeGreaterThan(3);
  return files.flatMap((name) => {
    const path = join(folder, name);
    const found = [...readFileSync(join(SRC, path), 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, to]) => to!);
    return found.map((to) => (to.startsWith('.') ? normalize(join(dirname(path), to)) : to));
  });
}

it('the client imports nothing of the page, and one package', () => {
  for (const to of imports('client')) expect(to === 'eventsource-parser' || /^client\/\w+\.ts$/.test(to), to).toBe(true);
});

it('the globe knows no stream', () => {
  for (const to of imports('globe')) expect(to, to).not.toMatch(/^(client\/(?!records\.ts)|panels)/);
});

it('the panels use what the client offers to everybody', () => {
  const used = imports('panels').filter((to) => to.startsWith('client/'));
  expect(used).toContain('client/index.ts');
  expect(used.filter((to) => !['client/index.ts', 'client/records.ts'].includes(to))).toEqual([]);
});
