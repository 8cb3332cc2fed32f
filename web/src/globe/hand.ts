import type { Orbit } from './camera.ts';

/** A press that moves less than this, in CSS pixels, is a click. */
const CLICK_PX = 5;

/** What a pointer that does not turn the globe does, in CSS pixels of the canvas. */
export interface Pointing {
  hover(x: number, y: number): void;
  leave(): void;
  click(x: number, y: number): void;
}

/**
 * Turns what a hand does on the canvas into moves of the orbit: drag turns,
 * wheel and two fingers zoom. Up and down on a touch screen stay the page's
 * (touch-action: pan-y). The wheel zooms only together with Ctrl (which a pinch
 * sends, too) where the page can scroll. Returns how to let go.
 */
export function handle(canvas: HTMLElement, orbit: Orbit, pointing: Pointing): () => void {
  const fingers = new Map<number, { x: number; y: number }>();
  const leave = new AbortController();
  let last = 0;
  let moved = 0;

  const spread = () => {
    const [a, b] = [...fingers.values()];
    return a && b ? Math.hypot(a.x - b.x, a.y - b.y) : 0;
  };

  const down = (event: PointerEvent) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    last = event.timeStamp;
    if (fingers.size === 1) moved = 0;
    else moved = Infinity;
    orbit.grab(performance.now());
  };

  const move = (event: PointerEvent) => {
    const finger = fingers.get(event.pointerId);
    if (!finger) {
      if (event.pointerType === 'mouse') pointing.hover(event.offsetX, event.offsetY);
      return;
    }
    const before = spread();
    const dx = event.clientX - finger.x;
    const dy = event.clientY - finger.y;
    moved += Math.hypot(dx, dy);
    finger.x = event.clientX;
    finger.y = event.clientY;
    const now = performance.now();
    if (fingers.size === 2 && before > 0) {
      orbit.zoom(spread() / before, now);
      return;
    }
    const degrees = orbit.degreesPerPixel(canvas.clientHeight);
    orbit.drag(-dx * degrees, dy * degrees, (event.timeStamp - last) / 1_000, now);
    last = event.timeStamp;
  };

  const up = (event: PointerEvent) => {
    fingers.delete(event.pointerId);
    if (fingers.size > 0) return;
    orbit.release(performance.now());
    if (event.type === 'pointerup' && moved < CLICK_PX) pointing.click(event.offsetX, event.offsetY);
  };

  const wheel = (event: WheelEvent) => {
    if (!event.ctrlKey && document.documentElement.scrollHeight > innerHeight + 1) return;
    event.preventDefault();
    orbit.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), performance.now());
  };

  const { signal } = leave;
  canvas.addEventListener('pointerdown', down, { signal });
  canvas.addEventListener('pointermove', move, { signal });
  canvas.addEventListener('pointerup', up, { signal });
  canvas.addEventListener('pointercancel', up, { signal });
  canvas.addEventListener('pointerleave', () => pointing.leave(), { signal });
  canvas.addEventListener('wheel', wheel, { signal, passive: false });
  return () => leave.abort();
}
