import { t } from '../text/index.ts';
import { format } from './format.ts';
import type { Sums } from './sampling.ts';

/** Says how many orders are shown of how many, and of which time; nothing where a minute has not yet told whether there are none. */
export function ratioText({ shown, of, seconds }: Sums): string {
  if (of === 0) return seconds < 60 ? '' : t('samplingNone');
  const values = { shown: format.count(shown), of: format.count(of) };
  return seconds < 60 ? t('samplingBegun', { ...values, time: t('seconds', { n: format.count(seconds) }) }) : t('sampling', values);
}
