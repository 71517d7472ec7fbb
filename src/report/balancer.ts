/** One load balancer: where its nodes stand, whom its rules lead to, and how its targets are. */

import { type LoadBalancer, targetGroupsOf } from '../aws/application-load-balancer.ts';
import type { TargetGroup } from '../aws/target-group.ts';
import type { Cloud } from '../cloud.ts';
import type { TargetHealth } from '../observe/target-health.ts';
import { ruleSection } from './balancer-sections.ts';
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

export function describeBalancer(
  balancer: LoadBalancer,
  reports: readonly TargetReport[],
): ThingDescription {
  const { name, scheme, dnsName, names, nodes, listeners, idleTimeoutSeconds } = balancer;
  return {
    thing: `alb/${name}`,
    facts: [
      ['scheme', scheme],
      ['name', dnsName],
      ['aliases', names.slice(1).join(', ') || undefined],
      [
        'listeners',
        listeners.map(({ port, tls }) => `${tls ? 'HTTPS' : 'HTTP'}:${port}`).join(', '),
      ],
      ['idle timeout', `${idleTimeoutSeconds} s`],
    ],
    sections: [
      {
        title: 'nodes',
        headers: ['NODE', 'ZONE', 'ADDRESS', 'ELASTIC IP'],
        rows: nodes.map(({ az, eni }) => {
          const { address, elastic } = eni.addresses[0];
          return [eni.thing, az, address, elastic ?? ''];
        }),
      },
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

function rowOf(group: TargetGroup): Section['rows'][number] {
  const { name, targetType, protocol, algorithm, stickinessSeconds, healthCheck } = group;
  const { path, port, intervalSeconds, healthyThreshold, unhealthyThreshold } = healthCheck;
  const asked = `${healthCheck.protocol}${port === undefined ? '' : `:${port}`} ${path}`;
  return [
    name,
    targetType,
    protocol,
    `${asked} every ${intervalSeconds} s, up after ${healthyThreshold}, down after ${unhealthyThreshold}`,
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
