import { locale } from '../text/index.ts';

/**
 * All codes of two letters that the browser knows a country's name for: there is
 * no list of them in a browser, but its names are one. What is no country of ISO
 * 3166 (groupings, and codes that were given up) is left out.
 */
export function countryCodes(): string[] {
  const names = new Intl.DisplayNames([locale()], { type: 'region', fallback: 'none' });
  const codes: string[] = [];
  for (let a = 65; a < 91; a++)
    for (let b = 65; b < 91; b++) {
      const code = String.fromCharCode(a, b);
      if (!NOT_COUNTRIES.has(code) && names.of(code) !== undefined && new Intl.Locale('und', { region: code }).region === code) codes.push(code);
    }
  return codes;
}

/** Codes that CLDR has a name for and that no order can go to: reserved, given up, or of a group. */
const NOT_COUNTRIES = new Set('AC AN BU CP CQ CS DD DG DY EA EU EZ FX HV IC NH NT PZ QO QU RH SU TA TP UK UN VD WK XA XB YD YU ZR ZZ AA'.split(' '));
