import type { AnimationConfig } from 'svelte/animate';

/**
 * Lets a row of a keyed list slide to its new place. Unlike svelte/animate's
 * flip it never scales, and leaves rows alone that are or were not shown. Half
 * way a row is nearly gone: two that cross would be one blot of letters.
 */
export function slide(_node: Element, { from, to }: { from: DOMRect; to: DOMRect }, { duration }: { duration: number }): AnimationConfig {
  const dx = from.left - to.left;
  const dy = from.top - to.top;
  if (from.width === 0 || to.width === 0 || (dx === 0 && dy === 0)) return { duration: 0 };
  return {
    duration,
    easing: (t) => 1 - (1 - t) ** 3,
    css: (_t, left) => `transform: translate(${dx * left}px, ${dy * left}px); opacity: ${Math.max(0.12, Math.abs(1 - 2 * left))}`,
  };
}
