// What a page must not fall for, put into records.

const MARKUP = '<img src=x onerror="document.title=1"><script>document.title=2</script>';

/** Names in many scripts and directions, with marks that combine, joiners, and one without a space. */
const NAMES = [
  'Łódź', '東京都', '서울특별시', 'القاهرة', 'ירושלים', 'नई दिल्ली', 'กรุงเทพมหานคร', 'Αθήνα', 'Київ', 'თბილისი', 'Երևան', 'አዲስ አበባ', 'ខេត្តសៀមរាប', 'དབུས་གཙང་',
  'ᓄᓇᕗᑦ', 'ꦗꦏꦂꦠ', 'Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢', '👩‍👩‍👧‍👦 🏳️‍🌈', 'Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch', 'a\u200Bb\u00ADc', '  ', 'İstanbul ẞ ﷽',
];

const DISGUISES = {
  hostile(record) {
    record.items?.forEach((item, i) => (item.title = i % 2 ? MARKUP : '\u202Eevil\u0000 שלום 你好 नमस्ते'));
    record.latest?.forEach((row) => Object.assign(row, { title: MARKUP, to: '"><b>x', currency: 'not a currency' }));
    if (record.total) Object.assign(record, { sales: 9_007_199_254_740_991, distance_m: 8e15, orders: 1e15 });
    return { ...record, unknown: { nested: [1, 2, 3] }, __proto__: null, constructor: 'no', v: 1 };
  },
  names(record) {
    let next = record.emitted_at.charCodeAt(22);
    const name = () => NAMES[next++ % NAMES.length];
    record.items?.forEach((item) => (item.title = name()));
    record.latest?.forEach((row) => Object.assign(row, { title: name(), from: name(), to: name() }));
    return record;
  },
  huge(record) {
    const big = { orders: 9_007_199_254_740_991, sales: 9.2e18, shoppers: 4_000_000_000, distance_m: 9.2e18, carbon_g: 1.7e308 };
    if (record.total) Object.assign(record, big, { total: { ...record.total, ...big } });
    record.latest?.forEach((row) => (row.amount = 9_007_199_254_740_993));
    if (record.items) record.items.forEach((item) => Object.assign(item, { units: 1e15, change: -1e9, score: 1e300 }));
    if (record.peak) for (const peak of Object.values(record.peak)) peak.value = 9e15;
    return record;
  },
  backlog(record) {
    if (record.total) record.window_end = new Date(Date.parse(record.window_end) - 180_000).toISOString();
    return record;
  },
  moments(record) {
    // Over a round number every ten seconds.
    if (record.total) record.total.orders = 999_000 + 400 * (new Date(record.emitted_at).getUTCSeconds() % 10);
    return record;
  },
  zeros(record) {
    if (record.total) Object.assign(record, { orders: 0, sales: 0, shoppers: 0, distance_m: 0, carbon_g: 0 });
    if (record.arcs) Object.assign(record, { of: 0, shown: 0, arcs: [], latest: [] });
    if (record.items) record.items = [];
    return record;
  },
};

/** The record as the mode has it. */
export function disguise(mode, record) {
  const change = DISGUISES[mode];
  return change ? change(structuredClone(record)) : record;
}
