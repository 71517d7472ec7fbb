/**
 * Application Load Balancer: one node in each of its zones, which takes HTTP requests apart and sends each to a target of
 * the rule that fits first.
 *
 * Kernel: a netns for each node (`alb-<name>-<zone>`) with an ENI in a subnet of that zone, in which HAProxy listens, and
 * from which it asks the targets. A request is two connections: the target sees the node's private address, and the client's
 * in X-Forwarded-For.
 *
 * @fidelity same - rules by priority, headers, health checks, 502, 503 and 504, fail-open, stickiness, idle time-out;
 *   simplified - two nodes for ever, none more under load; HTTP/1.1 alone
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/introduction.html
 */

import { because } from '../base/because.ts';
import type { SourceRef } from '../base/diagnostic.ts';
import { sha256Hex } from '../base/hash.ts';
import type { Ipv4 } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import type { NameRecord } from '../kernel/name-server.ts';
import { hostNetns } from '../kernel/netns.ts';
import { hostSysctls } from '../kernel/sysctl.ts';
import { type NetworkInterface, planPrimaryLink } from './network-interface.ts';
import {
  fitsCondition,
  type RuleCondition,
  type RuleRequest,
  wildcards,
} from './rule-condition.ts';
import type { TargetGroup } from './target-group.ts';
import { ALIAS_TTL_SECONDS, type AliasTarget } from './zone-record.ts';

export interface LoadBalancerNode {
  readonly az: string;
  readonly netns: NetnsName;
  readonly eni: NetworkInterface;
}

export interface PathCondition {
  /** In a pattern `*` stands for any text, `?` for any character. */
  readonly kind: 'exact' | 'prefix' | 'pattern';
  readonly path: string;
}

/** One that is full or sick hands nothing on to the others. @see load-balancer-listeners.html "Forward actions" */
export interface WeightedGroup {
  readonly group: TargetGroup;
  /** 0 to 999; with 0 it gets nothing. */
  readonly weight: number;
}

export type RuleAction =
  | {
      readonly kind: 'forward';
      /** Each request is dealt to one of them by weight. */
      readonly groups: readonly [WeightedGroup, ...WeightedGroup[]];
      /** How long a client stays with its group, by a cookie; undefined where it need not. */
      readonly stickinessSeconds: number | undefined;
    }
  | {
      readonly kind: 'fixed';
      readonly status: number;
      readonly contentType: string;
      readonly body: string;
    }
  | {
      readonly kind: 'redirect';
      readonly status: number;
      /** As ELB writes it, with #{host}, #{path}, #{query}. */
      readonly location: string;
    };

export interface ListenerRule {
  /** The lowest is looked at first. */
  readonly priority: number;
  /** Any of them; none: every host. `*` stands for any text, so in `*.example.com` for one label or several; `?` for any character. */
  readonly hosts: readonly string[];
  /** Any of them; none: every path. */
  readonly paths: readonly PathCondition[];
  /** All of them, beside host and path. */
  readonly conditions: readonly RuleCondition[];
  readonly action: RuleAction;
  readonly at: SourceRef;
}

export interface Listener {
  readonly port: number;
  /** The PEM file of its certificate, of HTTPS. */
  readonly tls: string | undefined;
  readonly rules: readonly ListenerRule[];
}

/** Where the entries go that say what became of each request (alb-access-log.ts). */
export interface AccessLog {
  readonly bucket: string;
  /** Undefined where the log stands at the top of the bucket. */
  readonly prefix: string | undefined;
  /** That of HTTPS listeners. */
  readonly certificateArn: string | undefined;
}

export interface LoadBalancer {
  readonly name: string;
  readonly dnsName: string;
  readonly scheme: 'internet-facing' | 'internal';
  readonly nodes: readonly LoadBalancerNode[];
  readonly listeners: readonly Listener[];
  readonly idleTimeoutSeconds: number;
  /** Undefined where requests are not logged. */
  readonly accessLog: AccessLog | undefined;
  /** Of its HTTPS listeners: one for all of its names. */
  readonly certificate: { readonly path: string; readonly names: readonly string[] } | undefined;
  readonly at: SourceRef;
}

/** What answers where no rule fits; the controller makes it each listener's default. */
export const NOTHING_FITS = {
  kind: 'fixed',
  status: 404,
  contentType: 'text/plain',
  body: '',
} as const satisfies RuleAction;

/** `k8s-default-web-0123456789-1234567890.us-east-1.elb.amazonaws.com`; an internal one begins with `internal-`. */
export function loadBalancerDnsName(name: string, scheme: LoadBalancer['scheme']): string {
  const number = Number.parseInt(sha256Hex(`elb/${name}`).slice(0, 8), 16);
  const prefix = scheme === 'internal' ? 'internal-' : '';
  return `${prefix}${name}-${number}.us-east-1.elb.amazonaws.com`;
}

/** Where it is reached, wherever one asks: an internet-facing one at public addresses, one a zone. @see ELB "DNS names" */
function loadBalancerAddresses({ nodes }: Pick<LoadBalancer, 'nodes'>): Ipv4[] {
  return nodes.map(({ eni }) => eni.addresses[0].elastic ?? eni.addresses[0].address);
}

/** What its own name leads to, everywhere. */
export function loadBalancerRecords(balancer: LoadBalancer): NameRecord[] {
  return loadBalancerAddresses(balancer).map((address) => ({
    name: balancer.dnsName,
    address,
    ttlSeconds: ALIAS_TTL_SECONDS,
  }));
}

/** What an alias record of Route 53 may lead to. */
export function aliasTarget(balancer: LoadBalancer): AliasTarget {
  return {
    reference: `alb/${balancer.name}`,
    dnsName: balancer.dnsName,
    addresses: loadBalancerAddresses(balancer),
  };
}

/** Each once, in the order of the rules. */
export function targetGroupsOf({
  listeners,
}: {
  readonly listeners: readonly Pick<Listener, 'rules'>[];
}): TargetGroup[] {
  const all = listeners.flatMap(({ rules }) =>
    rules.flatMap(({ action }) =>
      action.kind === 'forward' ? action.groups.map(({ group }) => group) : [],
    ),
  );
  return [...new Map(all.map((group) => [group.name, group])).values()];
}

/** The rule that a request meets; undefined where none fits. */
export function fittingRule({ rules }: Listener, request: RuleRequest): ListenerRule | undefined {
  const host = request.host.toLowerCase();
  return [...rules]
    .sort((a, b) => a.priority - b.priority)
    .find(
      ({ hosts, paths, conditions }) =>
        (hosts.length === 0 || hosts.some((one) => fitsHost(one, host))) &&
        (paths.length === 0 || paths.some((one) => fitsPath(one, request.path))) &&
        conditions.every((one) => fitsCondition(one, request)),
    );
}

function fitsHost(pattern: string, host: string): boolean {
  return new RegExp(`^${wildcards(pattern.toLowerCase())}$`).test(host);
}

/** A prefix is of whole elements: /foo is for /foo and /foo/x, not for /foobar. */
function fitsPath({ kind, path }: PathCondition, asked: string): boolean {
  if (kind === 'pattern') return new RegExp(`^${wildcards(path)}$`).test(asked);
  if (kind === 'exact') return asked === path;
  const base = path.replace(/\/$/, '');
  return asked === base || asked.startsWith(`${base}/`);
}

/** The nodes; what runs in them is HAProxy's one configuration (alb-haproxy.ts). */
export function planLoadBalancerNodes(balancer: LoadBalancer): Fragment {
  const fragment = new Fragment();
  for (const { netns, eni } of balancer.nodes) {
    const why = because('application-load-balancer', eni.thing, balancer.at);
    fragment
      .add(why, ...hostNetns(netns), ...hostSysctls(netns, [eni.link]))
      .addAll(planPrimaryLink(eni, why));
  }
  return fragment;
}
