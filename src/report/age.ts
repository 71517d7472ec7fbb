/** How long ago something was, as a person says it. */

const UNITS: readonly (readonly [seconds: number, name: string])[] = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/** `just now`, `42 s ago`, `3 min ago`; the clock's reading is handed in. */
export function renderAge(since: string, nowMs: number): string {
  // eslint-disable-next-line no-restricted-globals -- parsing a text reads no clock
  const seconds = Math.floor((nowMs - Date.parse(since)) / 1000);
  if (Number.isNaN(seconds)) return '?';
  const unit = UNITS.find(([size]) => seconds >= size);
  if (unit === undefined || seconds < 5) return 'just now';
  return `${Math.floor(seconds / unit[0])} ${unit[1]} ago`;
}

/** `0.3 s`, `12 s`. */
export function renderSeconds(ms: number): string {
  const seconds = ms / 1000;
  return `${seconds < 10 ? seconds.toFixed(seconds < 0.095 ? 2 : 1) : Math.round(seconds)} s`;
}
