/**
 * A probe: who sends what to whom, and what must be seen. Part of the lab file.
 *
 *     pod-reaches-the-internet:
 *       from: pod/client
 *       http: http://example.com/
 *       expect: { status: 200, sourceSeen: 203.0.113.50, path: [pod/client, node/node-1, nat/nat-1, igw, internet/example.com] }
 */

import * as z from 'zod';

import { durationSchema, ipv4Schema, named } from '../source/scalar.ts';

/** What became of a request, as the sender saw it. */
export const VERDICTS = [
  'allowed',
  'refused',
  'timeout',
  /** The connection was opened and then reset. */
  'reset',
  /** An ICMP error said that the packet is too big for the way and must not be cut (ping only). */
  'too-big',
  'unreachable',
] as const;
export type Verdict = (typeof VERDICTS)[number];

const ExpectationSpec = z.strictObject({
  verdict: z.enum(VERDICTS).default('allowed'),
  /** The HTTP status. */
  status: z.int().min(100).max(599).optional(),
  /** The source address as the receiver saw it. */
  sourceSeen: ipv4Schema.optional(),
  /** The thing that answered. */
  answeredBy: z.string().optional(),
  /** The time to live that is left in ping's reply. */
  ttl: z.int().min(1).max(255).optional(),
  /** The things that the request passed, both ends included. */
  path: z.array(z.string()).min(2).optional(),
  /** Things that must not have seen the request. */
  silent: z.array(z.string()).default([]),
  /** Things whose connection tracking must hold the connection, and the source address it has there. */
  conntrack: z.array(z.strictObject({ at: z.string(), source: ipv4Schema.optional() })).default([]),
});

const DEFAULT_TIMEOUT_MS = 300;

export const ProbeSpec = z
  .strictObject({
    about: z.string().optional(),
    from: z.string(),
    ping: z.string().optional(),
    tcp: z.string().optional(),
    udp: z.string().optional(),
    http: z.string().optional(),
    /** Bytes of payload (ping); more than the way takes and `fragment: false` is how a path's MTU is seen. */
    size: z.int().min(0).max(65_000).optional(),
    fragment: z.boolean().default(true),
    timeout: durationSchema.default(DEFAULT_TIMEOUT_MS),
    expect: z
      .union([z.enum(VERDICTS), ExpectationSpec])
      .default('allowed')
      .transform((value) =>
        typeof value === 'string' ? ExpectationSpec.parse({ verdict: value }) : value,
      ),
  })
  .superRefine((probe, context) => {
    const asked = REQUEST_KINDS.filter((kind) => probe[kind] !== undefined);
    if (asked.length === 1) return;
    context.addIssue({
      code: 'custom',
      message:
        asked.length === 0
          ? 'this probe asks nothing'
          : `this probe asks ${asked.length} things: ${asked.join(', ')}`,
      params: { code: 'probe-request', hint: `give one of ${REQUEST_KINDS.join(', ')}` },
    });
  });

export const REQUEST_KINDS = ['ping', 'tcp', 'udp', 'http'] as const;
export type RequestKind = (typeof REQUEST_KINDS)[number];

export type ProbeSpec = z.output<typeof ProbeSpec>;

export const ExperimentSpec = z.strictObject({
  about: z.string().optional(),
  /** Paths in the lab to what stands there while the probes run; null takes a thing away. */
  with: z.record(z.string(), z.unknown()).default({}),
  probes: named(ProbeSpec),
});

export type ExperimentSpec = z.output<typeof ExperimentSpec>;
