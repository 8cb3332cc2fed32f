import type { Orbit } from './camera.ts';

/**
 * Turns what a hand does on the canvas into moves of the orbit: drag turns,
 * wheel and two fingers zoom, arrow keys and + - do both. Up and down on a
 * touch screen stay the page's (touch-action: pan-y). Returns how to let go.
 */
export function handle(canvas: HTMLElement, orbit: Orbit): () => void {
  const fingers = new Map<number, { x: number; y: number }>();
  const leave = new AbortController();
  let last = 0;

  const spread = () => {
    const [a, b] = [...fingers.values()];
    return a && b ? Math.hypot(a.x - b.x, a.y - b.y) : 0;
  };

  const down = (event: PointerEvent) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    last = event.timeStamp;
    orbit.grab(performance.now());
  };

  const move = (event: PointerEvent) => {
    const finger = fingers.get(event.pointerId);
    if (!finger) return;
    const before = spread();
    const dx = event.clientX - finger.x;
    const dy = event.clientY - finger.y;
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
    if (fingers.size === 0) orbit.release(performance.now());
  };

  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    orbit.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), performance.now());
  };

  const key = (event: KeyboardEvent) => {
    const moves: Record<string, [number, number]> = { ArrowLeft: [-6, 0], ArrowRight: [6, 0], ArrowUp: [0, 6], ArrowDown: [0, -6] };
    const by = moves[event.key];
    if (by) orbit.drag(by[0], by[1], 1, performance.now());
    else if (event.key === '+' || event.key === '=') orbit.zoom(1.25, performance.now());
    else if (event.key === '-') orbit.zoom(0.8, performance.now());
    else return;
    event.preventDefault();
  };

  const { signal } = leave;
  canvas.addEventListener('pointerdown', down, { signal });
  canvas.addEventListener('pointermove', move, { signal });
  canvas.addEventListener('pointerup', up, { signal });
  canvas.addEventListener('pointercancel', up, { signal });
  canvas.addEventListener('wheel', wheel, { signal, passive: false });
  canvas.addEventListener('keydown', key, { signal });
  return () => leave.abort();
}
