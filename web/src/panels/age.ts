import { t } from '../text/index.ts';

/** Writes a duration in milliseconds in the unit that fits it. */
export function ageText(ms: number): string {
  if (ms < 1_000) return t('milliseconds', { n: Math.round(ms) });
  if (ms < 10_000) return t('seconds', { n: (ms / 1_000).toFixed(1) });
  if (ms < 90_000) return t('seconds', { n: Math.round(ms / 1_000) });
  if (ms < 5_400_000) return t('minutes', { n: Math.round(ms / 60_000) });
  return t('hours', { n: Math.round(ms / 3_600_000) });
}
