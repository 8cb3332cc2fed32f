// What the browser tests share: Debian's Chromium, a page that is watched for
// anything it should not do, and rules that hold at every size.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

/** Sizes that every screen is looked at in. */
export const SIZES = { laptop: [1440, 900], phone: [390, 844], wall: [3840, 2160] };

/** How Chromium is started: without calling home. */
const ALWAYS = ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** With WebGL, drawn by the processor. */
export const FLAGS = [...ALWAYS, '--use-angle=swiftshader', '--enable-unsafe-swiftshader'];

/** Without WebGL: the page shows its flat map, and putting frames together costs a tenth. */
export const FLAT = [...ALWAYS, '--disable-gpu', '--disable-software-rasterizer'];

/** Starts Chromium with a fresh profile. */
export function startBrowser(flags = FLAGS) {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: flags });
}

/**
 * Opens a page of the origin and notes in `faults` every console error or
 * warning, exception, request to another host and violation of the policy.
 * `browser` may also be a context; `prepare` is called before the page is loaded.
 */
export async function openPage(browser, origin, path, [width, height], allow = () => false, prepare = async () => {}) {
  const page = await browser.newPage('newContext' in browser ? { viewport: { width, height }, deviceScaleFactor: 1, locale: 'en-US', timezoneId: 'UTC' } : undefined);
  await prepare(page);
  const faults = [];
  const fault = (text) => allow(text) || faults.push(text);
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') fault(`console ${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => fault(`exception: ${error.message}`));
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && url.origin !== origin) fault(`request to another host: ${request.url()}`);
  });
  await page.exposeFunction('noteViolation', (text) => fault(`policy: ${text}`));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) => window.noteViolation(`${e.effectiveDirective} ${e.blockedURI}`));
  });
  const response = await page.goto(`${origin}${path}`);
  return { page, faults, response };
}

/**
 * Lets a page paint ten times a second instead of sixty: without a GPU each frame
 * is drawn and put together by the cores that the other tests run on.
 */
export function calm(page) {
  return page.addInitScript(() => {
    window.requestAnimationFrame = (call) => setTimeout(() => call(performance.now()), 100);
    window.cancelAnimationFrame = clearTimeout;
  });
}

/** What breaks the layout: overflow, figures or lists over the globe, a globe that is cropped. */
export function layoutFaults(page) {
  return page.evaluate(() => {
    const faults = [];
    if (document.documentElement.scrollWidth > innerWidth) faults.push(`page is ${document.documentElement.scrollWidth} wide in ${innerWidth}`);
    const canvas = document.querySelector('canvas').getBoundingClientRect();
    if (canvas.left < -1 || canvas.right > innerWidth + 1) faults.push(`globe from ${canvas.left} to ${canvas.right}`);
    const over = (r) => r.width > 0 && r.height > 0 && r.left < canvas.right && r.right > canvas.left && r.top < canvas.bottom && r.bottom > canvas.top;
    for (const element of document.querySelectorAll('[data-figure], [data-totals], [data-trending], main li, header > *, .tools, .timeline'))
      if (over(element.getBoundingClientRect())) faults.push(`over the globe: ${element.className} ${element.textContent.slice(0, 30)}`);
    for (const element of document.querySelectorAll('[data-text], .value, .tones > span, dd'))
      if (element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== 'inline') faults.push(`text does not fit: ${element.textContent}`);
    for (const element of document.querySelectorAll('[data-text]')) {
      const r = element.getBoundingClientRect();
      const box = element.closest('section').getBoundingClientRect();
      if (r.right > box.right + 1) faults.push(`figure runs out of its column: ${element.textContent}`);
    }
    return faults;
  });
}

/**
 * Moves the mouse over the map or globe, from its middle outwards, until it is on
 * something of that kind (`country`, `flight`). Returns where, and what the page says of it.
 */
export async function pointAt(page, kind, step = 24) {
  const box = await page.locator('canvas').boundingBox();
  const spots = [];
  for (let y = step / 2; y < box.height; y += step) for (let x = step / 2; x < box.width; x += step) spots.push([x, y]);
  const away = ([x, y]) => Math.hypot(x - box.width / 2, y - box.height / 2);
  spots.sort((a, b) => away(a) - away(b));
  for (const [x, y] of spots) {
    await page.mouse.move(box.x + x, box.y + y);
    // What is under the mouse is looked for with the frames.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    const text = await page.evaluate((kind) => document.querySelector(`[data-tip="${kind}"]`)?.innerText, kind);
    if (text) return { x: box.x + x, y: box.y + y, text };
  }
  throw new Error(`nothing of the kind ${kind} is under the mouse anywhere`);
}

/** What a tip says of an order: from where to where, how many, and how far. */
export const ORDER_TIP = /^.+ → .+\n[\d,]+\sorders?\s·\s[\d,.]+\s(mi|km)/;

/** Keeps a picture of the page, where a folder is given. */
export async function picture(page, folder, name, options = {}) {
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), ...options });
}

/** The value of a command line option. */
export function option(name, fallback) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : process.argv[at + 1];
}
