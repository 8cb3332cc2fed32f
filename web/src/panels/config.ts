import { FIGURES, type Figure } from '../client/records.ts';
import { rgbOf } from '../globe/palette.ts';

/** What a shop may set about the page, in the section `page` of livemap.yaml; see docs/page.md. */
export interface PageConfig {
  /** Shown instead of the title. */
  readonly name?: string;
  /** Address of the logo. */
  readonly logo?: string;
  readonly theme: 'dark' | 'light' | 'auto';
  /** #rgb or #rrggbb. */
  readonly colours: Readonly<Partial<Record<Colour, string>>>;
  readonly figures: readonly Figure[];
  /** Language of the page, such as `de` or `pt-BR`; the reader's own unless given. */
  readonly language?: string;
  readonly units: 'metric' | 'imperial' | 'auto';
  readonly currencyDisplay: 'symbol' | 'narrowSymbol' | 'code' | 'name';
}

/** The colours that may be set. */
export const COLOURS = ['accent', 'near', 'middle', 'far', 'land', 'background'] as const;
export type Colour = (typeof COLOURS)[number];

/**
 * Reads what the server says, which has checked it. What is missing or not
 * understood (a server of another version) is as if it had not been set.
 */
export function readConfig(said: unknown): PageConfig {
  const all = fields(said);
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  const one = <T extends string>(value: unknown, ...of: readonly [T, ...T[]]): T => of.find((o) => o === value) ?? of[0];
  const colours = fields(all['colours']);
  const figures = Array.isArray(all['figures']) ? FIGURES.filter((f) => (all['figures'] as unknown[]).includes(f)) : [];
  const name = text(all['name']);
  const logo = text(all['logo']);
  const language = text(all['language']);
  return {
    ...(name !== undefined && { name }),
    ...(logo !== undefined && { logo }),
    ...(language !== undefined && { language }),
    theme: one(all['theme'], 'dark', 'light', 'auto'),
    colours: Object.fromEntries(COLOURS.flatMap((c) => (typeof colours[c] === 'string' && rgbOf(colours[c]) ? [[c, colours[c]]] : []))),
    figures: figures.length > 0 ? figures : FIGURES,
    units: one(all['units'], 'auto', 'metric', 'imperial'),
    currencyDisplay: one(all['currency_display'], 'narrowSymbol', 'symbol', 'code', 'name'),
  };
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** Asks the server for the configuration. A page without one is as it was built. */
export async function fetchConfig(): Promise<PageConfig> {
  try {
    const answer = await fetch('page.json', { credentials: 'same-origin' });
    return readConfig(answer.ok ? await answer.json() : {});
  } catch {
    return readConfig({});
  }
}
