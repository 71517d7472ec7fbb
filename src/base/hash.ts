/** Stable numbers and ids out of names: nothing in Hoplab depends on a position in a list. */

import { createHash } from 'node:crypto';

export function sha1Hex(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** As far as whole groups of five bits go: without padding. @see RFC 4648 6 */
export function sha256Base32(text: string): string {
  const digest = createHash('sha256').update(text).digest();
  let word = '';
  for (let bit = 0; bit + 5 <= digest.length * 8; bit += 5) {
    const two = ((digest[bit >> 3] ?? 0) << 8) | (digest[(bit >> 3) + 1] ?? 0);
    word += BASE32.charAt((two >> (11 - (bit & 7))) & 31);
  }
  return word;
}

/** A number in 0 … modulus - 1 that depends on the text alone. */
export function hashModulo(text: string, modulus: number): number {
  return Number.parseInt(sha256Hex(text).slice(0, 12), 16) % modulus;
}

/**
 * A number for each name in `first … first + count - 1`. Each name gets the one that its hash gives; only names that
 * collide depend on each other, in alphabetical order.
 */
export function assignNumbers(
  names: Iterable<string>,
  first: number,
  count: number,
): Map<string, number> {
  const result = new Map<string, number>();
  const taken = new Set<number>();
  for (const name of [...names].sort()) {
    let number = hashModulo(name, count);
    while (taken.has(number)) number = (number + 1) % count;
    taken.add(number);
    result.set(name, first + number);
  }
  return result;
}
