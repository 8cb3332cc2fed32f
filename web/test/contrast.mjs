// Contrast by pixels: what a text is really drawn on, canvas and gradients
// included, which no rule on styles can know.

/** Smallest ratio of luminances (WCAG 2.2, 1.4.3), for text and for large text. */
const RATIO = 4.5;
const RATIO_LARGE = 3;

/** All texts that are whole on the screen, with their boxes and how large they have to be seen. */
function texts(page) {
  return page.evaluate(() => {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!node.textContent.trim() || element.closest('.unseen')) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const r = range.getBoundingClientRect();
      const box = { left: Math.floor(r.left), top: Math.floor(r.top), width: Math.ceil(r.width), height: Math.ceil(r.height) };
      if (box.width < 4 || box.height < 4 || box.top < 0 || box.top + box.height > innerHeight || box.left < 0 || box.left + box.width > innerWidth) continue;
      // What fades out at the lower edge of a list is meant to.
      const clip = element.closest('.clip')?.getBoundingClientRect();
      if (clip && r.bottom > clip.bottom - 3 * parseFloat(getComputedStyle(document.documentElement).fontSize)) continue;
      const style = getComputedStyle(element);
      if (style.visibility === 'hidden' || !element.checkVisibility()) continue;
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      found.push({ text: node.textContent.trim(), box, large });
    }
    return found;
  });
}

/** Texts that are too near to what they are drawn on, by the pixels of a screenshot. */
export async function contrastFaults(page) {
  const before = new Set((await texts(page)).map((text) => JSON.stringify(text)));
  const png = (await page.screenshot({ type: 'png' })).toString('base64');
  // Only what stood there before and after was surely there in between.
  const there = (await texts(page)).filter((text) => before.has(JSON.stringify(text)));
  return page.evaluate(
    async ([png, there, ratio, ratioLarge]) => {
      const image = new Image();
      image.src = `data:image/png;base64,${png}`;
      await image.decode();
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [image.width, image.height];
      const pen = canvas.getContext('2d', { willReadFrequently: true });
      pen.drawImage(image, 0, 0);
      const linear = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
      const luminance = (r, g, b) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
      /** The ground of a box is what most of its pixels are, the ink what differs most from it. */
      const contrast = (box) => {
        const { data } = pen.getImageData(box.left, box.top, box.width, box.height);
        const all = [];
        for (let i = 0; i < data.length; i += 4) all.push(luminance(data[i], data[i + 1], data[i + 2]));
        all.sort((a, b) => a - b);
        const ground = all[all.length >> 1];
        const ink = ground - all[0] > all.at(-1) - ground ? all[0] : all.at(-1);
        return (Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05);
      };
      const faults = there.map(({ text, box, large }) => ({ text, found: contrast(box), wanted: large ? ratioLarge : ratio }));
      if (faults.length < 10) return [`only ${faults.length} texts were seen`];
      return faults.filter(({ found, wanted }) => found < wanted).map(({ text, found }) => `${found.toFixed(2)}: ${text.slice(0, 40)}`);
    },
    [png, there, RATIO, RATIO_LARGE],
  );
}
