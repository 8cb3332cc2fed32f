// What must hold of the page in every state: nothing for axe-core to find,
// nothing out of its place, at every size and in both themes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { layoutFaults, SIZES } from './browser.mjs';
import { contrastFaults } from './contrast.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe-core finds: rule and element of each violation. */
export async function axeFaults(page) {
  // Not a script of the page: the policy does not concern what the test itself evaluates.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(' ')} ${node.any[0]?.message ?? node.failureSummary ?? ''}`));
  });
}

/** Gives the page a size and waits until it is painted in it. */
export async function resize(page, [width, height]) {
  await page.setViewportSize({ width, height });
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/**
 * Looks at a page in both themes (`turn` goes from one to the other) at all
 * sizes; with `contrast` at its pixels as well. Throws with all that was found.
 */
export async function inspect(page, { sizes = SIZES, themes = 2, turn = () => page.keyboard.press('t'), contrast = false } = {}) {
  const found = [];
  for (let theme = 0; theme < themes; theme++) {
    for (const [name, size] of Object.entries(sizes)) {
      await resize(page, size);
      const at = `${await page.evaluate(() => document.documentElement.dataset.theme)} ${name}: `;
      const faults = [...(await axeFaults(page)), ...(await layoutFaults(page)), ...(contrast ? await contrastFaults(page) : [])];
      found.push(...faults.map((fault) => at + fault));
    }
    if (theme + 1 < themes) await turn(page);
  }
  assert.deepEqual(found, []);
}
