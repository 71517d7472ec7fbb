/**
 * A load balancer in a picture: a box of its own in the VPC, for it stands in no zone. In it are the listeners with their
 * rules, in the order in which they are tried, and the target groups. Lines lead from its nodes to it, from a listener to
 * the groups that its rules name, and from a group to its targets.
 */

import { type LoadBalancer, targetGroupsOf } from '../aws/application-load-balancer.ts';
import type { NetworkLoadBalancer } from '../aws/network-load-balancer.ts';
import type { Target } from '../aws/target-group.ts';
import type { Cloud } from '../cloud.ts';
import { aliasesOf, listenerName } from './balancer-sections.ts';
import type { TargetReport } from './balancer.ts';
import { fold } from './graph-fold.ts';
import type { GraphEdge, GraphGroup, GraphNode } from './graph-parts.ts';
import { count } from './style.ts';
import { ruleWords, shorten } from './rule-words.ts';
import { HEALTHY, targetWords } from './target-words.ts';

/** What the nodes of each load balancer, `alb/web`, say of its targets; undefined where nobody asked. */
export type Health = ReadonlyMap<string, readonly TargetReport[]> | undefined;

const ALIASES_SHOWN = 2;
const RULES_SHOWN = 8;
const TARGETS_SHOWN = 8;
const PORTS_SHOWN = 3;
const LONGEST_ALIAS = 40;

/** ALB or NLB, as far as a picture goes. */
interface Drawn {
  readonly reference: string;
  readonly balancer: LoadBalancer | NetworkLoadBalancer;
  readonly listeners: readonly DrawnListener[];
  /** Each once. */
  readonly groups: readonly DrawnGroup[];
}

interface DrawnListener {
  /** `HTTP:80`; of several that have the same rules all. */
  readonly name: string;
  readonly rules: readonly string[];
  readonly groups: readonly string[];
}

interface DrawnGroup {
  readonly name: string;
  readonly type: 'ip' | 'instance';
  readonly protocol: string;
  readonly targets: readonly Target[];
}

/** The load balancers of a VPC. */
export function balancerGroups(
  cloud: Cloud,
  vpc: string,
  ids: ReadonlySet<string>,
  health: Health,
): GraphGroup[] {
  return drawnOf(cloud)
    .filter(({ balancer }) => balancer.nodes.some(({ eni }) => eni.subnet.vpc === vpc))
    .map((drawn) => balancerGroup(cloud, drawn, ids, health?.get(drawn.reference)));
}

/** `ids` are what is in the picture: no line leads to a target that is left out. */
export function balancerEdges(cloud: Cloud, ids: ReadonlySet<string>, health: Health): GraphEdge[] {
  return drawnOf(cloud).flatMap(({ reference, balancer, listeners, groups }) => {
    const reports = health?.get(reference);
    return [
      ...balancer.nodes.map(({ eni }) => line('balancer', eni.thing, reference)),
      ...listeners.flatMap((listener) =>
        listener.groups.map((group) =>
          line('forward', listenerId(reference, listener), groupId(reference, group)),
        ),
      ),
      ...groups.flatMap((group) =>
        targetsOf(group, ids, reports).shown.map((target) => ({
          ...line('target', groupId(reference, group.name), target.who),
          port: target.port,
          ...(reports === undefined ? {} : { health: targetWords(reports, group.name, target) }),
        })),
      ),
    ];
  });
}

function line(kind: GraphEdge['kind'], from: string, to: string): GraphEdge {
  return { kind, from, to, destinations: [] };
}

function listenerId(reference: string, { name }: DrawnListener): string {
  return `${reference}/listener ${name}`;
}

function groupId(reference: string, group: string): string {
  return `${reference}/tg ${group}`;
}

function balancerGroup(
  { hostedZones }: Cloud,
  { reference, balancer, listeners, groups }: Drawn,
  ids: ReadonlySet<string>,
  reports: readonly TargetReport[] | undefined,
): GraphGroup {
  const aliases = aliasesOf(reference, hostedZones);
  return {
    id: reference,
    kind: 'balancer',
    lines: [
      `${reference} ${balancer.scheme}`,
      ...(aliases.length === 0 ? [] : [saidOf(aliases, ALIASES_SHOWN, shortName).join(', ')]),
    ],
    notes: [],
    nodes: [
      ...listeners.map((listener): GraphNode => ({
        id: listenerId(reference, listener),
        kind: 'listener',
        lines: [listener.name, ...saidOf(listener.rules, RULES_SHOWN)],
      })),
      ...groups.map((group): GraphNode => ({
        id: groupId(reference, group.name),
        kind: 'target-group',
        lines: groupLines(group, ids, reports),
      })),
    ],
    groups: [],
  };
}

function shortName(name: string): string {
  return shorten(name, LONGEST_ALIAS);
}

/** The first ones, and how many more there are. */
function saidOf(
  words: readonly string[],
  limit: number,
  say: (word: string) => string = (word) => word,
): string[] {
  const { shown, left } = fold(words, limit);
  return [...shown.map(say), ...(left.length === 0 ? [] : [`and ${left.length} more`])];
}

function groupLines(
  group: DrawnGroup,
  ids: ReadonlySet<string>,
  reports: readonly TargetReport[] | undefined,
): [string, ...string[]] {
  const { name, type, protocol, targets } = group;
  const ports = [...new Set(targets.map(({ port }) => port))];
  const { left } = targetsOf(group, ids, reports);
  return [
    name,
    `${type}, ${[protocol, saidOf(ports.map(String), PORTS_SHOWN).join(', ')].filter(Boolean).join(':')}`,
    ...(targets.length === 0 ? ['no targets'] : []),
    ...(reports === undefined || targets.length === 0 ? [] : [healthLine(group, reports)]),
    ...(left.length === 0 ? [] : [`and ${count(left.length, 'more target')}`]),
  ];
}

/** Where nobody is well, requests go to all of them, as on AWS. */
function healthLine({ name, targets }: DrawnGroup, reports: readonly TargetReport[]): string {
  const well = targets.filter((one) => targetWords(reports, name, one) === HEALTHY).length;
  return `${well} of ${targets.length} healthy${well === 0 ? ': all are used' : ''}`;
}

/** Those to which a line leads: the ones that are in the picture, those that are not well before the others. */
function targetsOf(
  { name, targets }: DrawnGroup,
  ids: ReadonlySet<string>,
  reports: readonly TargetReport[] | undefined,
): { shown: readonly Target[]; left: readonly Target[] } {
  const drawn = targets.filter(({ who }) => ids.has(who));
  const { shown, left } = fold(
    drawn,
    TARGETS_SHOWN,
    (one) => reports !== undefined && targetWords(reports, name, one) !== HEALTHY,
  );
  return { shown, left: [...left, ...targets.filter((one) => !ids.has(one.who))] };
}

function drawnOf({ loadBalancers, networkLoadBalancers }: Cloud): Drawn[] {
  return [...loadBalancers.map(applicationBalancer), ...networkLoadBalancers.map(networkBalancer)];
}

function applicationBalancer(balancer: LoadBalancer): Drawn {
  const listeners = balancer.listeners.map((listener): DrawnListener => {
    const rules = [...listener.rules].sort((one, other) => one.priority - other.priority);
    return {
      name: listenerName(listener),
      rules: rules.map(ruleWords),
      groups: targetGroupsOf({ listeners: [{ rules }] }).map(({ name }) => name),
    };
  });
  return {
    reference: `alb/${balancer.name}`,
    balancer,
    listeners: mergeListeners(listeners),
    groups: targetGroupsOf(balancer).map((group) => ({ ...group, type: group.targetType })),
  };
}

function networkBalancer(balancer: NetworkLoadBalancer): Drawn {
  const listeners = balancer.listeners.map(({ protocol, port, targetGroup }): DrawnListener => ({
    name: `${protocol.toUpperCase()}:${port}`,
    rules: [],
    groups: [targetGroup.name],
  }));
  const groups = balancer.listeners.map(({ protocol, targetGroup: group }): DrawnGroup => ({
    ...group,
    type: group.targetType,
    protocol: protocol.toUpperCase(),
  }));
  return { reference: `nlb/${balancer.name}`, balancer, listeners, groups };
}

/** The controller gives each port of an Ingress the same rules: they are said once. */
function mergeListeners(listeners: readonly DrawnListener[]): DrawnListener[] {
  const merged = new Map<string, DrawnListener>();
  for (const listener of listeners) {
    const key = [...listener.rules, ...listener.groups].join('\n');
    const there = merged.get(key);
    const name = there === undefined ? listener.name : `${there.name}, ${listener.name}`;
    merged.set(key, { ...listener, name });
  }
  return [...merged.values()];
}
