/**
 * A route table: which way a subnet's packets go, by the longest prefix.
 *
 * Kernel: a routing table in the VPC's netns that a rule chooses by the bridge a packet comes in by. `throw` for each of
 * the VPC's blocks stands for the `local` route (the lookup goes on in main, where a /32 for each assigned address
 * lies); a route more specific than local stands beside it and wins. The last entry is a silent blackhole: what no
 * route matches ends here and never falls through to another table.
 *
 * @fidelity same - local, longest prefix, main and explicit association, blackhole; simplified - no propagated routes
 * @see https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html "Route priority", "Routes"
 */

import * as z from 'zod';

import { as, because } from '../base/because.ts';
import { type Diagnostics, renderSourceRef, type SourceRef, suggest } from '../base/diagnostic.ts';
import { type Cidr, cidr, containsCidr, type Ipv4 } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';
import { renderReference } from '../base/reference.ts';
import { Fragment } from '../kernel/fragment.ts';
import type { KernelRoute } from '../kernel/state.ts';
import { cidrSchema } from '../source/scalar.ts';
import type { Where } from '../source/yaml.ts';
import { TRANSIT_IGW } from './internet-gateway.ts';
import type { NetworkInterface } from './network-interface.ts';
import type { Subnet } from './subnet.ts';

export const RouteTableSpec = z.strictObject({
  main: z.boolean().describe('Whether subnets without a table use this one').default(false),
  routes: z
    .array(
      z.strictObject({
        destination: cidrSchema.describe('The block that the route is for; 0.0.0.0/0 is any'),
        target: z.string().describe('igw, nat/NAME, instance/NAME, node/NAME:eth1 or blackhole'),
      }),
    )
    .describe('Routes beside the local ones; the longest prefix wins')
    .default([]),
});

export type RouteTarget =
  | { readonly kind: 'igw'; readonly name: string }
  | { readonly kind: 'nat'; readonly name: string; readonly eni: NetworkInterface }
  | { readonly kind: 'eni'; readonly eni: NetworkInterface }
  /** The target was deleted: its routes stay, in the state "blackhole". */
  | { readonly kind: 'blackhole'; readonly was: string | undefined };

export interface VpcRoute {
  readonly destination: Cidr;
  readonly target: RouteTarget;
  readonly at: SourceRef;
}

export interface RouteTable {
  readonly name: string;
  readonly isMain: boolean;
  /** Beside these, each of the VPC's blocks has its `local` route. */
  readonly routes: readonly VpcRoute[];
  readonly at: SourceRef;
}

/** What a target's name may mean in this VPC. */
export interface Targets {
  readonly internetGateway: string | undefined;
  readonly natGateways: ReadonlyMap<string, { eni: NetworkInterface } | 'deleted'>;
  readonly interfaces: ReadonlyMap<string, NetworkInterface>;
}

/** Neither a destination nor forwarded. @see VPC_Route_Tables.html "Routes": reserved for AWS services */
const RESERVED = cidr('169.254.168.0/22');

export function resolveRouteTable(
  name: string,
  spec: z.output<typeof RouteTableSpec>,
  needs: { cidrs: readonly Cidr[]; subnets: readonly Subnet[]; targets: Targets },
  where: Where,
  diagnostics: Diagnostics,
): RouteTable {
  const routes: VpcRoute[] = [];
  spec.routes.forEach(({ destination, target }, index) => {
    const at = where.in('routes', index);
    const resolved = resolveTarget(target, needs.targets, at.at('target'), diagnostics);
    const problem = destinationProblem(destination, resolved, needs);
    if (problem !== undefined) {
      diagnostics.error('route-destination', at.at('destination'), problem.what, problem.hint);
    }
    const twin = routes.find((route) => route.destination === destination);
    if (twin !== undefined) {
      diagnostics.error(
        'route-twice',
        at.at('destination'),
        `route table "${name}" has two routes to ${destination}, the other at ${renderSourceRef(twin.at)}`,
        'a table has one route for each destination',
      );
    }
    if (resolved !== undefined) routes.push({ destination, target: resolved, at: at.at() });
  });
  return { name, isMain: spec.main, routes, at: where.keyAt() };
}

function resolveTarget(
  text: string,
  targets: Targets,
  at: SourceRef,
  diagnostics: Diagnostics,
): RouteTarget | undefined {
  const slash = text.indexOf('/');
  const kind = slash < 0 ? text : text.slice(0, slash);
  const name = slash < 0 ? undefined : text.slice(slash + 1);
  if (kind === 'blackhole' && name === undefined) return { kind: 'blackhole', was: undefined };

  const igw = targets.internetGateway;
  if (kind === 'igw' || (name === undefined && text === igw)) {
    if (igw !== undefined && (name === undefined || name === igw))
      return { kind: 'igw', name: igw };
  }
  if (kind === 'nat' && name !== undefined) {
    const nat = targets.natGateways.get(name);
    if (nat === 'deleted') return { kind: 'blackhole', was: text };
    if (nat !== undefined) return { kind: 'nat', name, eni: nat.eni };
  }
  const eni = targets.interfaces.get(text) ?? targets.interfaces.get(`${text}:eth0`);
  if (eni !== undefined) return { kind: 'eni', eni };

  const known = [
    ...(igw === undefined ? [] : [renderReference('igw', igw)]),
    ...[...targets.natGateways.keys()].map((nat) => `nat/${nat}`),
    ...[...targets.interfaces.keys()].map((key) => key.replace(/:eth0$/, '')),
  ];
  diagnostics.error(
    'unknown-target',
    at,
    kind === 'igw' && igw === undefined
      ? `route to "${text}", but the VPC has no internet gateway`
      : `route to "${text}", which is not declared in this VPC`,
    kind === 'igw' && igw === undefined
      ? 'add "internetGateway: igw" to the VPC'
      : (suggest(text, known) ?? 'write igw, nat/NAME, instance/NAME, node/NAME or blackhole'),
  );
  return undefined;
}

function destinationProblem(
  destination: Cidr,
  target: RouteTarget | undefined,
  needs: { cidrs: readonly Cidr[]; subnets: readonly Subnet[] },
): { what: string; hint: string } | undefined {
  if (containsCidr(RESERVED, destination)) {
    return {
      what: `${destination} can't be a destination: AWS keeps ${RESERVED} for its own services`,
      hint: 'leave this route out',
    };
  }
  const local = needs.cidrs.find((block) => containsCidr(block, destination));
  if (local === undefined) return undefined;
  if (needs.cidrs.includes(destination)) {
    return {
      what: `${destination} is the VPC's own block, which is always "local"`,
      hint: 'leave this route out, or name one whole subnet of it',
    };
  }
  const wholeSubnet = needs.subnets.some((subnet) => subnet.cidr === destination);
  if (!wholeSubnet) {
    return {
      what: `${destination} lies within the VPC's ${local} but is not the whole of a subnet`,
      hint: 'a route more specific than "local" names a whole subnet',
    };
  }
  // AWS refuses such a route to nothing; one whose target is deleted later stays, as a blackhole.
  const isNothing = target?.kind === 'blackhole' && target.was === undefined;
  if (target?.kind === 'igw' || isNothing) {
    return {
      what: `${destination} is a subnet of this VPC, and its route leads ${target.kind === 'igw' ? 'to the internet gateway' : 'nowhere'}`,
      hint: 'a route more specific than "local" leads to an ENI or a NAT gateway',
    };
  }
  return undefined;
}

/** The route that a packet to the address takes: undefined for `local`, 'none' when no route matches. */
export function lookup(
  table: RouteTable,
  cidrs: readonly Cidr[],
  matches: (block: Cidr) => boolean,
): VpcRoute | 'local' | 'none' {
  if (matches(RESERVED)) return 'none';
  const length = (block: Cidr): number => Number(block.split('/')[1]);
  let best: VpcRoute | 'local' | 'none' = 'none';
  let bestLength = -1;
  for (const block of cidrs) {
    if (matches(block) && length(block) > bestLength) {
      best = 'local';
      bestLength = length(block);
    }
  }
  for (const route of table.routes) {
    if (matches(route.destination) && length(route.destination) > bestLength) {
      best = route;
      bestLength = length(route.destination);
    }
  }
  return best;
}

export function planRouteTable(
  vpc: NetnsName,
  table: RouteTable,
  needs: { tableId: number; cidrs: readonly Cidr[]; uplink: string },
): Fragment {
  const why = because('route-table', `rtb/${table.name}`, table.at);
  const route = (
    destination: Cidr | 'default',
    rest: Pick<KernelRoute, 'type' | 'via' | 'link' | 'onlink' | 'metric'>,
  ): KernelRoute => ({ kind: 'route', netns: vpc, table: needs.tableId, destination, ...rest });

  const fragment = new Fragment();
  for (const block of needs.cidrs) {
    fragment.add(as(why, `route ${block} -> local`), route(block, { type: 'throw' }));
  }
  // Not even by a default route.
  fragment.add(as(why, `the end of ${RESERVED}`), route(RESERVED, { type: 'blackhole' }));
  fragment.add(
    as(why, 'the end of what no route matches'),
    route('default', { type: 'blackhole', metric: 4294967295 }),
  );
  for (const { destination, target, at } of table.routes) {
    const to = destination === '0.0.0.0/0' ? 'default' : destination;
    const says = `route ${destination} -> ${renderTarget(target)}`;
    const routeWhy = because('route-table', `rtb/${table.name}`, at, says);
    fragment.add(routeWhy, route(to, nextHop(target, needs.uplink)));
  }
  return fragment;
}

/** A route's target as the lab writes it. */
export function renderTarget(target: RouteTarget): string {
  switch (target.kind) {
    case 'igw':
      return renderReference('igw', target.name);
    case 'nat':
      return `nat/${target.name}`;
    case 'eni':
      return target.eni.link === 'eth0'
        ? target.eni.thing
        : `${target.eni.thing}:${target.eni.link}`;
    case 'blackhole':
      return target.was === undefined ? 'blackhole' : `blackhole (${target.was} was deleted)`;
  }
}

function nextHop(
  target: RouteTarget,
  uplink: string,
): Pick<KernelRoute, 'type' | 'via' | 'link' | 'onlink'> {
  const hop = (via: Ipv4, link: string): ReturnType<typeof nextHop> => ({
    type: 'unicast',
    via,
    link,
    onlink: true,
  });
  switch (target.kind) {
    case 'igw':
      return hop(TRANSIT_IGW, uplink);
    case 'nat':
    case 'eni':
      return hop(target.eni.addresses[0].address, target.eni.subnet.bridge);
    case 'blackhole':
      return { type: 'blackhole' };
  }
}
