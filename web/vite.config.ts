import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { svelte, vitePreprocess } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';
import { landData } from './scripts/land.mjs';

/** Makes `virtual:land`: the land dots with their countries, computed at build time. */
function land(): Plugin {
  const id = '\0virtual:land';
  return {
    name: 'livemap-land',
    resolveId: (source) => (source === 'virtual:land' ? id : undefined),
    load: (source) => {
      if (source !== id) return undefined;
      return Object.entries(landData())
        .map(([name, value]) => `export const ${name} = ${JSON.stringify(value)};`)
        .join('\n');
    },
  };
}

/** Packages whose code or glyphs end up in dist; their licences must travel with it. */
const bundled = ['svelte', 'three', 'eventsource-parser', '@fontsource-variable/inter', 'world-atlas'];

/** Writes licenses.txt beside the page. */
function licenses(): Plugin {
  return {
    name: 'livemap-licenses',
    generateBundle() {
      const texts = bundled.map((name) => {
        const at = (file: string) => fileURLToPath(new URL(`./node_modules/${name}/${file}`, import.meta.url));
        const { version } = JSON.parse(readFileSync(at('package.json'), 'utf8')) as { version: string };
        const file = name === 'svelte' ? 'LICENSE.md' : 'LICENSE';
        return `${name} ${version}\n\n${readFileSync(at(file), 'utf8').trim()}\n`;
      });
      texts.push(`cities\n\n${readFileSync(path('../orders/gazetteer/NOTICE'), 'utf8').trim()}\n`);
      this.emitFile({ type: 'asset', fileName: 'licenses.txt', source: texts.join(`\n${'-'.repeat(72)}\n\n`) });
    },
  };
}

/**
 * Lets a browser fetch, beside the scripts, what they would ask for first once
 * they run: the shop's settings, and the letters that the figures are set in.
 */
function early(): Plugin {
  return {
    name: 'livemap-early',
    transformIndexHtml: {
      order: 'post',
      handler: (_html, { bundle }) => {
        const font = Object.keys(bundle ?? {}).find((name) => name.endsWith('.woff2'));
        const link = (attrs: Record<string, string | boolean>) => ({ tag: 'link', attrs: { rel: 'preload', crossorigin: true, ...attrs }, injectTo: 'head' as const });
        return [link({ as: 'fetch', href: './page.json' }), ...(font ? [link({ as: 'font', type: 'font/woff2', href: `./${font}` })] : [])];
      },
    },
  };
}

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

export default defineConfig({
  // Relative addresses: the page also works below a path prefix of a proxy.
  base: './',
  plugins: [svelte({ configFile: false, preprocess: vitePreprocess() }), land(), licenses(), early()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    // three.js is one chunk, fetched after the figures are on the screen; web_test.go holds the budget.
    chunkSizeWarningLimit: 600,
    modulePreload: { polyfill: false },
    rollupOptions: {
      // livemap.js is a product of its own: its exports stay as they are, and
      // the page imports that very file.
      preserveEntrySignatures: 'allow-extension',
      input: { index: path('index.html'), embed: path('embed.html'), livemap: path('src/client/index.ts') },
      output: {
        entryFileNames: (chunk) => (chunk.name === 'livemap' ? 'livemap.js' : 'assets/[name]-[hash].js'),
      },
    },
  },
  test: { include: ['src/**/*.test.ts', 'test/**/*.test.ts'], environment: 'node' },
} as Parameters<typeof defineConfig>[0]);
