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
  /** The DNS server says that there is no such name (dns only). */
  'no-such-name',
] as const;
export type Verdict = (typeof VERDICTS)[number];

const ExpectationSpec = z.strictObject({
  verdict: z.enum(VERDICTS).describe('What the sender sees').default('allowed'),
  status: z.int().min(100).max(599).describe('The HTTP status').optional(),
  sourceSeen: ipv4Schema.describe('The source address as the receiver saw it').optional(),
  answeredBy: z.string().describe('The thing that answered').optional(),
  blockedBy: z
    .string()
    .describe(
      'What stops it: sg/web, "sg/web ingress", "acl/private egress rule 90", netpol/deny, rtb/private',
    )
    .optional(),
  spread: z
    .enum(['even', 'one'])
    .describe(
      'Who answers the samples: every endpoint as often as chance has it (four sigma), or always the same',
    )
    .optional(),
  answer: z
    .string()
    .describe(
      'What the database says to the query: a line a row, with "|" between columns (psql only)',
    )
    .optional(),
  addresses: z
    .array(ipv4Schema)
    .describe('What the name leads to, in any order (dns only)')
    .optional(),
  asked: z
    .array(z.string())
    .describe('The names that the server was asked for, in their order (dns only)')
    .optional(),
  ttl: z.int().min(1).max(255).describe("The time to live that is left in ping's reply").optional(),
  path: z
    .array(z.string())
    .min(2)
    .describe('The things that the request passed, both ends included')
    .optional(),
  silent: z.array(z.string()).describe('Things that must not have seen the request').default([]),
  conntrack: z
    .array(
      z.strictObject({
        at: z.string().describe('The thing that tracks it'),
        source: ipv4Schema.describe('The source address that the connection has there').optional(),
      }),
    )
    .describe('Things whose connection tracking must hold the connection')
    .default([]),
});

const DEFAULT_TIMEOUT_MS = 300;

export const ProbeSpec = z
  .strictObject({
    about: z.string().describe('One line that says what the probe shows').optional(),
    from: z.string().describe('The thing that sends: pod/client, internet/example.com'),
    ping: z.string().describe('An address, a name or a thing to ping').optional(),
    tcp: z.string().describe('ADDRESS:PORT to open a TCP connection to').optional(),
    udp: z.string().describe('ADDRESS:PORT to send a datagram to').optional(),
    http: z.string().describe('A URL to get').optional(),
    dns: z.string().describe("A name to ask the sender's DNS server for").optional(),
    psql: z
      .string()
      .describe('A database to sign in to: rds/app, its endpoint or an address of it')
      .optional(),
    query: z
      .string()
      .describe('What it is asked beside whom it sees and who it is (psql only)')
      .optional(),
    headers: z
      .record(
        z.string().regex(/^[\w-]+$/, 'no name of a header'),
        z
          .string()
          .regex(
            /^[ !#-&(-[\]-~]*$/,
            'no value of a header: printable, without quotes and backslashes',
          ),
      )
      .describe('What the request says beside what curl says of itself (http only)')
      .optional(),
    samples: z
      .int()
      .min(2)
      .max(1000)
      .describe('How often it is asked, each time by a connection of its own (http only)')
      .optional(),
    size: z
      .int()
      .min(0)
      .max(65_000)
      .describe(
        "Bytes of ping's payload; more than the way takes and `fragment: false` is how a path's MTU is seen",
      )
      .optional(),
    fragment: z.boolean().describe('Whether the packet may be cut on the way').default(true),
    timeout: durationSchema.describe('How long to wait for an answer').default(DEFAULT_TIMEOUT_MS),
    expect: z
      .union([z.enum(VERDICTS), ExpectationSpec])
      .describe('What must be seen: a verdict, or more than that')
      .default('allowed')
      .transform((value) =>
        typeof value === 'string' ? ExpectationSpec.parse({ verdict: value }) : value,
      ),
  })
  .superRefine((probe, context) => {
    for (const [key, kind] of [
      ['samples', 'http'],
      ['headers', 'http'],
      ['query', 'psql'],
    ] as const) {
      if (probe[key] === undefined || probe[kind] !== undefined) continue;
      context.addIssue({
        code: 'custom',
        path: [key],
        message: `${key} ${key.endsWith('s') ? 'are' : 'is'} of ${kind} alone`,
        params: { code: 'probe-request', hint: `ask by ${kind}, or leave it out` },
      });
    }
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

export const REQUEST_KINDS = ['ping', 'tcp', 'udp', 'http', 'dns', 'psql'] as const;
export type RequestKind = (typeof REQUEST_KINDS)[number];

export type ProbeSpec = z.output<typeof ProbeSpec>;

export const ExperimentSpec = z.strictObject({
  about: z.string().describe('One line that says what the experiment shows').optional(),
  with: z
    .record(z.string(), z.unknown())
    .describe(
      'Paths in the lab to what stands there while the probes run (`vpcs.main…`, `manifests.netpol/api…`); null takes a thing away',
    )
    .default({}),
  probes: named(ProbeSpec).describe('Probes of the lab as it is then'),
});

export type ExperimentSpec = z.output<typeof ExperimentSpec>;
