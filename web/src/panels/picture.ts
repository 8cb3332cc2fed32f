import { FIGURES, type Figure } from '../client/records.ts';
import { t, type TextKey } from '../text/index.ts';
import { format, joined } from './format.ts';
import type { Page } from './page.svelte.ts';
import { ratioText } from './ratio.ts';

/** The picture's size in pixels: what messengers and social networks show whole. */
const WIDTH = 1_920;
const HEIGHT = 1_080;
const EDGE = 84;

const NAMES: Record<Figure, TextKey> = { sales: 'sales', orders: 'orders', shoppers: 'shoppers', distance_m: 'distance', carbon_g: 'carbon' };

/** A picture of this moment: the globe with the figures beside it. */
export function drawPicture(page: Page): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const pen = canvas.getContext('2d')!;
  const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const glow = pen.createRadialGradient(WIDTH * 0.66, HEIGHT / 2, 0, WIDTH * 0.66, HEIGHT / 2, WIDTH * 0.6);
  glow.addColorStop(0, colour('--glow'));
  glow.addColorStop(1, colour('--ground'));
  pen.fillStyle = glow;
  pen.fillRect(0, 0, WIDTH, HEIGHT);
  drawGlobe(pen, page);
  drawWords(pen, page, colour);
  return canvas;
}

/** The middle of the globe's canvas, as large as fits right of the figures. */
function drawGlobe(pen: CanvasRenderingContext2D, page: Page): void {
  const globe = page.globe?.picture();
  if (!globe || globe.width === 0 || globe.height === 0) return;
  const room = { left: WIDTH * 0.36, width: WIDTH * 0.64 };
  const scale = Math.min(room.width / globe.width, HEIGHT / globe.height);
  const width = globe.width * scale;
  const height = globe.height * scale;
  pen.drawImage(globe, room.left + (room.width - width) / 2, (HEIGHT - height) / 2, width, height);
}

function drawWords(pen: CanvasRenderingContext2D, page: Page, colour: (name: string) => string): void {
  const { live } = page;
  const family = getComputedStyle(document.body).fontFamily;
  const write = (text: string, y: number, size: number, weight: number, tint: string) => {
    pen.font = `${weight} ${size}px ${family}`;
    pen.fillStyle = colour(tint);
    pen.fillText(text, EDGE, y, WIDTH * 0.42);
  };
  const country = live.country;
  write(page.config.name ?? t('title'), 128, 46, 700, '--text');
  const at = live.replaying?.at ?? live.serverNow;
  const when = format.full(at);
  write(country ? `${t('ordersTo', { country: page.countryName(country) })} · ${when}` : when, 172, 26, 400, '--soft');
  const { window } = live;
  if (!window) return;
  let y = 300;
  for (const figure of FIGURES.filter((f) => page.config.figures.includes(f))) {
    const first = figure === 'sales';
    write(`${t(NAMES[figure])} ${t('perMinute')}`, y, 24, 500, '--soft');
    write(joined(format.figure(figure, window[figure], window.currency)), y + (first ? 84 : 60), first ? 92 : 60, 650, '--text');
    y += first ? 168 : 132;
  }
  if (live.sampling.of > 0) write(ratioText(live.sampling), HEIGHT - 64, 20, 400, '--soft');
}

/** Gives the picture away: to the system's sharing where there is one for files, as a file otherwise. */
export async function sharePicture(page: Page): Promise<boolean> {
  const blob = await new Promise<Blob | null>((resolve) => drawPicture(page).toBlob(resolve, 'image/png'));
  if (!blob) return false;
  const file = new File([blob], `livemap-${new Date(page.live.serverNow).toISOString().slice(0, 19).replaceAll(':', '')}.png`, { type: 'image/png' });
  if (matchMedia('(pointer: coarse)').matches && navigator.canShare?.({ files: [file] })) {
    return navigator.share({ files: [file], title: document.title }).then(
      () => true,
      () => false,
    );
  }
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  return true;
}
