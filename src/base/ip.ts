/**
 * IPv4 addresses and CIDR blocks: the only importer of ip-num.
 *
 * Both are strings in canonical form with a brand, so that they are map keys and print as themselves. ip-num parses
 * and computes; what it does not do is done here: it names no value in its messages and keeps host bits, whereas EC2
 * documents that it canonicalises (100.68.0.18/18 becomes 100.68.0.0/18).
 */

import { IPv4, IPv6CidrRange } from 'ip-num';

import { remembering } from './remember.ts';

export type Ipv4 = string & { readonly __brand: 'Ipv4' };
export type Cidr = string & { readonly __brand: 'Cidr' };

/** The address in canonical form, or undefined when the text is none. */
export function parseIpv4(text: string): Ipv4 | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined;
  try {
    return new IPv4(text).toString() as Ipv4;
  } catch {
    return undefined;
  }
}

/** The block with its host bits cleared, or undefined when the text is none. */
export function parseCidr(text: string): Cidr | undefined {
  const [address, length, ...rest] = text.split('/');
  if (address === undefined || length === undefined || rest.length > 0) return undefined;
  if (!/^\d{1,2}$/.test(length) || Number(length) > 32) return undefined;
  const parsed = parseIpv4(address);
  if (parsed === undefined) return undefined;
  const size = 2 ** (32 - Number(length));
  const base = Math.floor(toNumber(parsed) / size) * size;
  return `${fromNumber(base)}/${Number(length)}` as Cidr;
}

/** An address that is known to be one (a constant in our own code). */
export function ipv4(text: string): Ipv4 {
  const parsed = parseIpv4(text);
  if (parsed === undefined) throw new Error(`not an IPv4 address: ${text}`);
  return parsed;
}

/** A block that is known to be one (a constant in our own code). */
export function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new Error(`not a CIDR block: ${text}`);
  return parsed;
}

// ip-num takes ten microseconds over an address, and a capture or a plan asks for the same ones ten thousand times.
export const toNumber = remembering((address: Ipv4) => Number(new IPv4(address).getValue()));

export const fromNumber = remembering(
  (value: number) => IPv4.fromNumber(BigInt(value)).toString() as Ipv4,
);

export function prefixLength(block: Cidr): number {
  return Number(block.slice(block.indexOf('/') + 1));
}

export function size(block: Cidr): number {
  return 2 ** (32 - prefixLength(block));
}

export function baseAddress(block: Cidr): Ipv4 {
  return block.slice(0, block.indexOf('/')) as Ipv4;
}

/** The address `offset` after the base of the block; a negative one counts from the end (-1 is the last). */
export function nth(block: Cidr, offset: number): Ipv4 {
  const index = offset < 0 ? size(block) + offset : offset;
  if (index < 0 || index >= size(block)) throw new Error(`${block} has no address ${offset}`);
  return fromNumber(toNumber(baseAddress(block)) + index);
}

export function contains(block: Cidr, address: Ipv4): boolean {
  const offset = toNumber(address) - toNumber(baseAddress(block));
  return offset >= 0 && offset < size(block);
}

export function containsCidr(outer: Cidr, inner: Cidr): boolean {
  return prefixLength(outer) <= prefixLength(inner) && contains(outer, baseAddress(inner));
}

/** A block of IPv6, of which a lab has none but manifests may; undefined when the text is none. @see RFC 4291 2.2 */
export function parseIpv6Block(text: string): IPv6CidrRange | undefined {
  // ip-num does not know an address of IPv4 at the end of one (`::ffff:10.0.3.50`).
  const plain = text.replace(/(?<=:)[\d.]+(?=\/)/, (last) => {
    const address = parseIpv4(last);
    if (address === undefined) return last;
    const value = toNumber(address);
    return `${Math.floor(value / 0x1_00_00).toString(16)}:${(value % 0x1_00_00).toString(16)}`;
  });
  try {
    return IPv6CidrRange.fromCidr(plain);
  } catch {
    return undefined;
  }
}

export function overlaps(a: Cidr, b: Cidr): boolean {
  return containsCidr(a, b) || containsCidr(b, a);
}

/** The block that holds this address with that prefix length: `10.0.3.0/24` for 10.0.3.10 and 24. */
export function blockOf(address: Ipv4, length: number): Cidr {
  return cidr(`${address}/${length}`);
}

export function compareIpv4(a: Ipv4, b: Ipv4): number {
  return toNumber(a) - toNumber(b);
}

/** Private address space that no router of the internet forwards: RFC 1918, RFC 6598 (carriers), RFC 3927 (link-local). */
export const NOT_ROUTED_ON_THE_INTERNET: readonly Cidr[] = [
  cidr('10.0.0.0/8'),
  cidr('172.16.0.0/12'),
  cidr('192.168.0.0/16'),
  cidr('100.64.0.0/10'),
  cidr('169.254.0.0/16'),
];
