import { mount, type Component } from 'svelte';
import { locale, t, textsFor, useTexts } from '../text/index.ts';
import { fetchConfig } from './config.ts';
import { Format, useFormat } from './format.ts';
import { openLive } from './open.ts';
import { Page } from './page.svelte.ts';
import { settings } from './settings.ts';

/** Languages that are written from right to left (CLDR, layout). */
const LEFTWARDS = ['ar', 'fa', 'he', 'ur', 'ps', 'ckb', 'sd', 'ug', 'yi', 'dv'];

/** Letters that come later than this change under the reader's eye, in milliseconds. */
const LETTERS_MS = 500;

/** Waits for the page's letters, which were asked for beside its scripts: text that is set anew moves what stands beside it. */
function letters(): Promise<unknown> {
  const late = new Promise((resolve) => setTimeout(resolve, LETTERS_MS));
  return Promise.race([document.fonts.load('1em Inter').catch(() => undefined), late]);
}

/** Puts the page into the document, in the language and the colours that are wanted. */
export async function start(component: Component<{ page: Page }>): Promise<void> {
  // Asked for first: the figures are on their way while all else is made ready.
  const live = openLive(settings.country);
  const [config] = await Promise.all([fetchConfig(), letters()]);
  const wanted = [settings.language, config.language, ...navigator.languages].filter((l) => l !== undefined);
  useTexts(await textsFor(wanted));
  useFormat(new Format(locale(), config));
  const root = document.documentElement;
  root.lang = locale();
  root.dir = settings.dir ?? (LEFTWARDS.includes(locale().split('-')[0]!) ? 'rtl' : 'ltr');
  if (settings.still) root.dataset['still'] = '';
  document.title = config.name ?? t('title');
  const page = new Page(config, live);
  mount(component, { target: document.body, props: { page } });
}
