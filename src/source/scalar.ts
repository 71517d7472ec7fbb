/** The small values of lab files: addresses, blocks, ports, durations, references. */

import * as z from 'zod';

import { type Cidr, type Ipv4, parseCidr, parseIpv4 } from '../base/ip.ts';
import { parsed } from './schema.ts';

export const ipv4Schema: z.ZodType<Ipv4> = parsed(
  parseIpv4,
  'not-an-address',
  'an IPv4 address',
  'write it like 10.0.3.50',
  /^\d{1,3}(\.\d{1,3}){3}$/,
);

export const cidrSchema: z.ZodType<Cidr> = parsed(
  parseCidr,
  'not-a-cidr',
  'a CIDR block',
  'write it like 10.0.3.0/24',
  /^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/,
);

export const portSchema = z.int().min(1).max(65535);

/**
 * A name of a thing in a lab: it becomes part of `kind/name`, of netns names and of patches' paths. At most 63
 * characters, letters, digits, ".", "_" and "-", with a letter or digit at both ends.
 */
const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

export const nameSchema = z.string().regex(NAME, {
  error:
    'a name is letters, digits, ".", "_" and "-", at most 63, with a letter or digit at both ends',
});

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;

/** Milliseconds, from `300ms`, `5s`, `2m` or `1h`. */
export const durationSchema: z.ZodType<number> = parsed(
  parseDurationMs,
  'not-a-duration',
  'a duration',
  'write it like 300ms, 5s or 6m',
  DURATION,
);

export function parseDurationMs(text: string): number | undefined {
  const match = DURATION.exec(text);
  if (match === null) return undefined;
  const factor = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match[2] as 'ms' | 's' | 'm' | 'h'];
  return Number(match[1]) * factor;
}

/** A map from names to things. */
export function named<Value extends z.ZodType>(
  value: Value,
): z.ZodDefault<z.ZodRecord<z.ZodString, Value>> {
  return z.record(nameSchema, value).default({});
}
