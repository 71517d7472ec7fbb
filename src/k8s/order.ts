/** The order of names that hold numbers: `web-2` before `web-10`, whatever the machine's language is. */

const collator = new Intl.Collator('en', { numeric: true });

export function compareNaturally(a: string, b: string): number {
  // The collator takes "web-01" and "web-1" for the same word; a stable order must not.
  return collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}
