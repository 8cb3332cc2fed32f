import type { Page } from './page.svelte.ts';

/** Degrees that an arrow key turns the globe. */
const TURN = 8;

const turns: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-TURN, 0],
  ArrowRight: [TURN, 0],
  ArrowUp: [0, TURN],
  ArrowDown: [0, -TURN],
};

/** Does what a key of the whole page does: see docs/page.md. */
export function press(page: Page, event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || target.closest('input, dialog, [role="tab"]')) return;
  // A button has its own use for the space bar.
  if (event.key === ' ' && target.closest('button, a')) return;
  if (act(page, event.key)) event.preventDefault();
}

function act(page: Page, key: string): boolean {
  const { live, globe } = page;
  const turn = turns[key];
  // Where the page scrolls, up and down are its own.
  if (turn && (turn[1] === 0 || document.documentElement.scrollHeight <= innerHeight + 1)) globe?.turn(...turn);
  else if (key === '+' || key === '=') globe?.zoom(1.25);
  else if (key === '-') globe?.zoom(0.8);
  else if (key === ' ') live.pause(!live.paused);
  else if (key === 'f' || key === 'F') void toggleFullScreen();
  else if (key === 'k' || key === 'K') page.setKiosk(!page.kiosk);
  else if (key === 'c' || key === 'C') page.choosing = true;
  else if (key === 't' || key === 'T') page.theme.toggle();
  else if (key === 'l' || key === 'L') live.backToLive();
  else if (key === 'Escape') return escape(page);
  else return false;
  return true;
}

/** Leaves what was entered last. */
function escape(page: Page): boolean {
  if (page.kiosk) page.setKiosk(false);
  else if (page.live.replaying) page.live.backToLive();
  else if (page.live.country) page.choose(undefined);
  else return false;
  return true;
}

/** Fills the screen with the page, or leaves it. */
export async function toggleFullScreen(): Promise<void> {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await document.documentElement.requestFullscreen().catch(() => {});
}
