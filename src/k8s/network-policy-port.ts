/**
 * A port of a NetworkPolicy's rule: a number, a range, a name that each destination pod resolves by itself, or, with a
 * protocol alone, all of that protocol.
 *
 * @see kubernetes v1.31 pkg/apis/networking/validation/validation.go ValidateNetworkPolicyPort
 */

import * as z from 'zod';

import type { Diagnostics } from '../base/diagnostic.ts';
import type { Where } from '../source/yaml.ts';

export interface PolicyPort {
  readonly protocol: 'tcp' | 'udp';
  /** From and to are one port without endPort; undefined: every port of the protocol. */
  readonly port:
    | { readonly kind: 'range'; readonly from: number; readonly to: number }
    | { readonly kind: 'name'; readonly name: string }
    | undefined;
}

export const portsSchema = z
  .array(
    z
      .looseObject({
        protocol: z.enum(['TCP', 'UDP', 'SCTP']).nullish(),
        port: z.union([z.int(), z.string()]).nullish(),
        endPort: z.int().nullish(),
      })
      .nullable(),
  )
  .nullish();

type WrittenPort = NonNullable<NonNullable<z.output<typeof portsSchema>>[number]>;

/**
 * Undefined means every port, and what has none; a list that is empty in the end, none. Reports `policy-port` and
 * `policy-sctp`.
 */
export function readPorts(
  written: z.output<typeof portsSchema>,
  where: Where,
  diagnostics: Diagnostics,
): PolicyPort[] | undefined {
  if (written === null || written === undefined || written.length === 0) return undefined;
  return written.flatMap((one, index) => readPort(one ?? {}, where.in(index), diagnostics) ?? []);
}

function readPort(
  { protocol, port: written, endPort }: WrittenPort,
  where: Where,
  diagnostics: Diagnostics,
): PolicyPort | undefined {
  const port = written ?? undefined;
  const last = endPort ?? undefined;
  const mistake = mistakeOf(port, last);
  if (mistake !== undefined) {
    const [key, what, hint] = mistake;
    diagnostics.error('policy-port', where.at(key), what, hint);
    return undefined;
  }
  if (protocol === 'SCTP') {
    diagnostics.warning(
      'policy-sctp',
      where.at('protocol'),
      'a port of SCTP lets nothing pass: a lab speaks TCP and UDP',
    );
    return undefined;
  }
  const of = { protocol: protocol === 'UDP' ? 'udp' : 'tcp' } as const;
  if (port === undefined) return { ...of, port: undefined };
  return typeof port === 'string'
    ? { ...of, port: { kind: 'name', name: port } }
    : { ...of, port: { kind: 'range', from: port, to: last ?? port } };
}

/** Where it is, what it is, and what is right. */
function mistakeOf(
  port: number | string | undefined,
  last: number | undefined,
): readonly ['port' | 'endPort', string, string] | undefined {
  const range = 'ports go from 1 to 65535';
  if (port === undefined) {
    if (last === undefined) return undefined;
    const hint = 'give the first port of the range as "port:"';
    return ['endPort', `endPort ${last} stands without a port`, hint];
  }
  if (typeof port === 'string') {
    const hint =
      'at most 15 lower-case letters, digits and "-", at least one letter; a number stands without quotes';
    if (!isPortName(port)) return ['port', `port: "${port}" is not a name of a port`, hint];
    if (last === undefined) return undefined;
    const what = `endPort ${last} stands beside the named port "${port}"`;
    return ['endPort', what, 'a range begins with a number'];
  }
  if (!isPort(port)) return ['port', `port: ${port} is no port`, range];
  if (last === undefined) return undefined;
  if (!isPort(last)) return ['endPort', `endPort: ${last} is no port`, range];
  if (last >= port) return undefined;
  const what = `endPort ${last} is less than port ${port}`;
  return ['endPort', what, 'write the smaller one as "port:"'];
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

/** @see RFC 6335 5.1, k8s.io/apimachinery pkg/util/validation IsValidPortName */
function isPortName(text: string): boolean {
  return (
    text.length <= 15 && /^[a-z0-9-]+$/.test(text) && /[a-z]/.test(text) && !/^-|-$|--/.test(text)
  );
}
