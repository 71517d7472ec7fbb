/** One load balancer: where its nodes stand, whom its rules lead to, and how its targets are. */

import {
  type LoadBalancer,
  type LoadBalancerNode,
  targetGroupsOf,
} from '../aws/application-load-balancer.ts';
import type { HostedZone } from '../aws/hosted-zone.ts';
import type { NetworkLoadBalancer } from '../aws/network-load-balancer.ts';
import type { HealthCheck, TargetGroup } from '../aws/target-group.ts';
import type { Cloud } from '../cloud.ts';
import type { TargetHealth } from '../observe/target-health.ts';
import { aliasesOf, listenerName, ruleSection } from './balancer-sections.ts';
import type { Section } from './section.ts';
import type { ThingDescription } from './thing.ts';

/** What one node of a load balancer says of a target now. */
export interface TargetReport {
  readonly node: string;
  /** None of one that has left. */
  readonly group: string | undefined;
  readonly who: string;
  readonly address: string;
  /** Undefined where the node says nothing. */
  readonly health: TargetHealth | undefined;
}

/** `alb/front`, which stands for the nodes `alb/front/az-1` and so on. */
export function findBalancer(
  { loadBalancers }: Pick<Cloud, 'loadBalancers'>,
  word: string,
): LoadBalancer | undefined {
  return loadBalancers.find(({ name }) => word === `alb/${name}` || word === name);
}

export function findNetworkBalancer(
  { networkLoadBalancers }: Pick<Cloud, 'networkLoadBalancers'>,
  word: string,
): NetworkLoadBalancer | undefined {
  return networkLoadBalancers.find(({ name }) => word === `nlb/${name}` || word === name);
}

export function describeBalancer(
  balancer: LoadBalancer,
  zones: readonly HostedZone[],
  reports: readonly TargetReport[],
): ThingDescription {
  const { name, scheme, dnsName, nodes, listeners, idleTimeoutSeconds } = balancer;
  return {
    thing: `alb/${name}`,
    facts: [
      ['scheme', scheme],
      ['name', dnsName],
      ['aliases', aliasesOf(`alb/${name}`, zones).join(', ') || undefined],
      ['listeners', listeners.map(listenerName).join(', ')],
      ['idle timeout', `${idleTimeoutSeconds} s`],
    ],
    sections: [
      nodeSection(nodes),
      ruleSection([balancer]),
      {
        title: 'target groups',
        headers: ['GROUP', 'TYPE', 'PROTOCOL', 'HEALTH CHECK', 'ALGORITHM', 'STICKY', 'DELAY'],
        rows: targetGroupsOf(balancer).map(rowOf),
      },
      targetSection(reports),
    ],
    lookInside: nodes.map(({ eni }) => [eni.thing, 'ss -tn'] as const),
  };
}

export function describeNetworkBalancer(
  balancer: NetworkLoadBalancer,
  zones: readonly HostedZone[],
  reports: readonly TargetReport[],
): ThingDescription {
  const { name, scheme, dnsName, nodes, listeners, idleTimeoutSeconds } = balancer;
  return {
    thing: `nlb/${name}`,
    facts: [
      ['scheme', scheme],
      ['name', dnsName],
      ['aliases', aliasesOf(`nlb/${name}`, zones).join(', ') || undefined],
      ['service', balancer.service],
      ['cross-zone', balancer.crossZone ? 'on' : 'off'],
      ['idle timeout', `${idleTimeoutSeconds} s`],
    ],
    sections: [
      nodeSection(nodes),
      {
        title: 'listeners',
        headers: ['LISTENER', 'GROUP', 'TYPE', 'SOURCE SEEN', 'HEALTH CHECK'],
        rows: listeners.map(({ protocol, port, targetGroup: group }) => [
          `${protocol}/${port}`,
          group.name,
          group.targetType,
          group.preservesClient ? 'client' : 'load balancer',
          renderCheck(
            group.healthCheck,
            group.healthCheck.protocol === 'TCP' ? '' : group.healthCheck.path,
          ),
        ]),
      },
      targetSection(reports),
    ],
    lookInside: nodes.flatMap(({ eni }) =>
      ['nft list table ip nlb', 'conntrack -L'].map((line) => [eni.thing, line] as const),
    ),
  };
}

function nodeSection(nodes: readonly LoadBalancerNode[]): Section {
  return {
    title: 'nodes',
    headers: ['NODE', 'ZONE', 'ADDRESS', 'ELASTIC IP'],
    rows: nodes.map(({ az, eni }) => {
      const { address, elastic } = eni.addresses[0];
      return [eni.thing, az, address, elastic ?? ''];
    }),
  };
}

function renderCheck(
  check: Pick<
    HealthCheck,
    'port' | 'intervalSeconds' | 'healthyThreshold' | 'unhealthyThreshold'
  > & { readonly protocol: string },
  path: string,
): string {
  const { protocol, port, intervalSeconds, healthyThreshold, unhealthyThreshold } = check;
  const asked = `${protocol}${port === undefined ? '' : `:${port}`} ${path}`.trim();
  return `${asked} every ${intervalSeconds} s, up after ${healthyThreshold}, down after ${unhealthyThreshold}`;
}

function rowOf(group: TargetGroup): Section['rows'][number] {
  const { name, targetType, protocol, algorithm, stickinessSeconds, healthCheck } = group;
  return [
    name,
    targetType,
    protocol,
    renderCheck(healthCheck, healthCheck.path),
    algorithm,
    stickinessSeconds === undefined ? '' : `${stickinessSeconds} s`,
    `${group.deregistrationDelaySeconds} s`,
  ];
}

/** How the targets are, as each node sees them. */
export function targetSection(reports: readonly TargetReport[]): Section {
  return {
    title: 'targets',
    headers: ['GROUP', 'TARGET', 'ADDRESS', 'NODE', 'STATE', 'REASON', 'DESCRIPTION', 'SEEN'],
    rows: reports.map(({ node, group, who, address, health }) => [
      group ?? '',
      who,
      address,
      node,
      health?.state ?? 'unknown',
      health?.reason ?? '',
      health?.description ?? '',
      health?.seen ?? '',
    ]),
  };
}
