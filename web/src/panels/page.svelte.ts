import type { Shipments, Window } from '../client/records.ts';
import type { Flight, Globe, Places } from '../globe/index.ts';
import { locale } from '../text/index.ts';
import type { PageConfig } from './config.ts';
import type { Listener, Live } from './live.svelte.ts';
import { FirstLight, firstBy, type Moment } from './moments.ts';
import { openLive } from './open.ts';
import { settings } from './settings.ts';
import { Theme } from './theme.svelte.ts';

/** How long a moment is shown, in milliseconds. */
const MOMENT_MS = 9_000;

/** Moments that wait at most; the newest are left out. */
const MOMENTS_WAITING = 4;

/** Countries that the server is asked about wait here; beyond that they are not asked about. */
const QUESTIONS_WAITING = 32;

/** Questions to the server are this far apart, in milliseconds. */
const QUESTION_MS = 1_500;

/** What an arc carries, in words. */
export interface Carried {
  readonly from?: string;
  readonly to?: string;
  readonly n: number;
  readonly latest?: { readonly title: string; readonly amount: number; readonly currency: string; readonly at: string };
}

/** What the whole page is about: which scope it shows, how it looks, what has just happened. */
export class Page implements Listener {
  live = $state.raw() as Live;
  kiosk = $state.raw(settings.kiosk);
  choosing = $state.raw(false);
  shown = $state.raw<Moment>();
  readonly theme: Theme;
  /** Orders to each country as far as they were seen on the map: a sample, good for an order of names and nothing else. */
  readonly activity = new Map<string, number>();
  globe: Globe | undefined;
  places = $state.raw<Places>();

  private readonly waiting: Moment[] = [];
  private readonly light = new FirstLight();
  private readonly questions: string[] = [];
  private mayAsk = true;
  private momentUntil = 0;
  private awake: WakeLockSentinel | undefined;
  /** A page that was hidden has lost its lock. */
  private readonly shownAgain = () => void (this.kiosk && document.visibilityState === 'visible' && this.stayAwake());
  private readonly timers: readonly ReturnType<typeof setInterval>[];

  /** `live` was opened before the configuration was there. */
  constructor(readonly config: PageConfig, live: Live) {
    this.theme = new Theme(config);
    this.live = this.hears(live);
    this.timers = [setInterval(() => this.nextMoment(), 500), setInterval(() => void this.askNext(), QUESTION_MS)];
    document.addEventListener('visibilitychange', this.shownAgain);
    if (this.kiosk) void this.stayAwake();
  }

  close(): void {
    this.timers.forEach(clearInterval);
    document.removeEventListener('visibilitychange', this.shownAgain);
    this.live.close();
  }

  private hears(live: Live): Live {
    live.listener = this;
    return live;
  }

  /** Shows a country, or the world. The server filters: the stream is opened anew for its key. */
  choose(code: string | undefined): void {
    this.choosing = false;
    if (code === this.live.country) return;
    const { paused } = this.live;
    this.live.close();
    this.waiting.length = 0;
    this.shown = undefined;
    this.live = this.hears(openLive(code));
    if (paused) this.live.pause(true);
    this.globe?.choose(code);
  }

  /** The name of a country in the language of the page. */
  countryName(code: string): string {
    try {
      return new Intl.DisplayNames([locale()], { type: 'region' }).of(code) ?? code;
    } catch {
      return code; // not even shaped like a code
    }
  }

  /** What an arc carries, as far as it is known: cities by its cells, the order if it is one of the latest. */
  carried(flight: Flight): Carried {
    const { places } = this;
    const { from, to, n } = flight;
    if (!places) return { n };
    const latest = this.live.latestWhere((l) => places.isAt(l.from, ...from) && places.isAt(l.to, ...to));
    const name = (at: readonly [number, number]) => places.near(...at)?.name;
    const [fromName, toName] = latest ? [latest.from, latest.to] : [name(from), name(to)];
    return { n, ...(fromName !== undefined && { from: fromName }), ...(toName !== undefined && { to: toName }), ...(latest && { latest }) };
  }

  setKiosk(on: boolean): void {
    this.kiosk = on;
    if (on) void this.stayAwake();
    else void this.awake?.release().catch(() => {});
  }

  /** A wall must not go dark. Where that cannot be asked for, its own settings have to see to it. */
  private async stayAwake(): Promise<void> {
    if (this.awake?.released === false) return;
    this.awake = await navigator.wakeLock?.request('screen').catch(() => undefined);
  }

  moment(moment: Moment): void {
    if (this.waiting.length < MOMENTS_WAITING) this.waiting.push(moment);
  }

  missed(): void {
    this.light.missed();
  }

  batch(batch: Shipments, complete: boolean): void {
    if (!complete) this.light.missed();
    const { places, live } = this;
    if (!places || live.country !== undefined) return;
    const day = batch.at.slice(0, 10);
    for (const { to, n } of batch.arcs) {
      const country = places.near(to[0], to[1])?.country;
      if (country === undefined) continue;
      this.activity.set(country, (this.activity.get(country) ?? 0) + n);
      const verdict = this.light.arrive(country, day);
      if (verdict === 'first') this.first({ kind: 'first', country });
      else if (verdict === 'ask' && this.mayAsk && this.questions.length < QUESTIONS_WAITING) this.questions.push(country);
    }
  }

  private first(moment: Moment & { kind: 'first' }): void {
    this.moment(moment);
    const city = this.places?.largestOf(moment.country);
    if (city) this.globe?.beacon(city.lat, city.lon);
  }

  /** Whether the server's totals say that this was a country's first order. */
  private async askNext(): Promise<void> {
    const country = this.questions.shift();
    if (country === undefined || document.visibilityState === 'hidden') return;
    try {
      const answer = await fetch(new URL(`v1/latest?topic=metrics&key=country/${country}`, document.baseURI), { credentials: 'same-origin' });
      if (!answer.ok) {
        this.mayAsk = false; // not for us to know
        return;
      }
      const midnight = Math.floor(this.live.serverNow / 86_400_000) * 86_400_000;
      const moment = firstBy(country, (await answer.json()) as Window, midnight);
      if (moment?.kind === 'first') this.first(moment);
    } catch {
      // The network is away: the badge says so.
    }
  }

  private nextMoment(): void {
    const now = performance.now();
    if (this.shown && now < this.momentUntil) return;
    this.shown = this.live.replaying ? undefined : this.waiting.shift();
    this.momentUntil = now + MOMENT_MS;
  }
}
