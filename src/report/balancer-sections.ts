/** The load balancers of a lab in tables: their nodes, their rules, and whom each rule leads to. */

import {
  aliasTarget,
  type LoadBalancer,
  type ListenerRule,
} from '../aws/application-load-balancer.ts';
import type { HostedZone } from '../aws/hosted-zone.ts';
import { renderSourceRef } from '../base/diagnostic.ts';
import type { Cloud } from '../cloud.ts';
import type { Section } from './section.ts';

export function balancerSections({ loadBalancers, hostedZones }: Cloud): Section[] {
  return [
    {
      title: 'load balancers',
      headers: ['NODE', 'ADDRESS', 'ELASTIC IP', 'SCHEME', 'NAMES'],
      rows: loadBalancers.flatMap((balancer) =>
        balancer.nodes.map(({ eni }) => {
          const { address, elastic } = eni.addresses[0];
          return [
            eni.thing,
            address,
            elastic ?? '',
            balancer.scheme,
            namesOf(balancer, hostedZones),
          ];
        }),
      ),
    },
    {
      title: 'listener rules',
      headers: ['LISTENER', 'RULE', 'HOST', 'PATH', 'ACTION', 'TARGETS', 'WRITTEN'],
      rows: loadBalancers.flatMap(rowsOf),
    },
  ];
}

/** Its own, and those of Route 53 that lead to it. */
function namesOf(balancer: LoadBalancer, zones: readonly HostedZone[]): string {
  const { reference, dnsName } = aliasTarget(balancer);
  const aliases = zones.flatMap(({ records }) =>
    records.flatMap(({ name, data }) =>
      data.type === 'alias' && data.target === reference ? [name] : [],
    ),
  );
  return [...new Set([dnsName, ...aliases])].join(', ');
}

function rowsOf({ name, listeners }: LoadBalancer): Section['rows'][number][] {
  return listeners.flatMap(({ port, rules }) =>
    rules.map((rule) => [
      `alb/${name}:${port}`,
      rule.priority,
      rule.hosts.join(', ') || 'any',
      rule.paths.map(({ kind, path }) => `${path} (${kind})`).join(', ') || 'any',
      ...actionOf(rule),
      renderSourceRef(rule.at),
    ]),
  );
}

function actionOf({ action }: ListenerRule): [what: string, targets: string] {
  switch (action.kind) {
    case 'forward': {
      const { name, targets } = action.targetGroup;
      return [`to ${name}`, targets.map(({ who, port }) => `${who}:${port}`).join(', ') || 'none'];
    }
    case 'fixed':
      return [`answers ${action.status}`, ''];
    case 'redirect':
      return [`${action.status} to ${action.location}`, ''];
  }
}
