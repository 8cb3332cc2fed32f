import { mount, type Component } from 'svelte';
import { locale, t, textsFor, useTexts } from '../text/index.ts';
import { fetchConfig } from './config.ts';
import { Format, useFormat } from './format.ts';
import { openLive } from './open.ts';
import { Page } from './page.svelte.ts';
import { settings } from './settings.ts';

/** Languages that are written from right to left (CLDR, layout). */
const LEFTWARDS = ['ar', 'fa', 'he', 'ur', 'ps', 'ckb', 'sd', 'ug', 'yi', 'dv'];

/** Puts the page into the document, in the language and the colours that are wanted. */
export async function start(component: Component<{ page: Page }>): Promise<void> {
  // Asked for first: the figures are on their way while all else is made ready.
  const live = openLive(settings.country);
  const config = await fetchConfig();
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
