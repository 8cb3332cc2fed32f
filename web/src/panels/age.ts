import { t } from '../text/index.ts';
import { format } from './format.ts';

/** Writes a duration in milliseconds in the unit that fits it. */
export function ageText(ms: number): string {
  if (ms < 1_000) return t('milliseconds', { n: format.count(Math.round(ms)) });
  if (ms < 10_000) return t('seconds', { n: format.count(ms / 1_000, ms / 1_000, 1) });
  if (ms < 90_000) return t('seconds', { n: format.count(Math.round(ms / 1_000)) });
  if (ms < 5_400_000) return t('minutes', { n: format.count(Math.round(ms / 60_000)) });
  if (ms < 172_800_000) return t('hours', { n: format.count(Math.round(ms / 3_600_000)) });
  const days = Math.round(ms / 86_400_000);
  return t('days', { n: format.count(days), count: days });
}
