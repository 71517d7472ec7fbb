/** The load balancers of a lab in tables: their nodes, their rules, and whom each rule leads to. */

import type { LoadBalancer, ListenerRule } from '../aws/application-load-balancer.ts';
import { renderSourceRef } from '../base/diagnostic.ts';
import type { Cloud } from '../cloud.ts';
import type { Section } from './section.ts';

export function balancerSections({ loadBalancers, networkLoadBalancers }: Cloud): Section[] {
  return [
    {
      title: 'load balancers',
      headers: ['NODE', 'ADDRESS', 'ELASTIC IP', 'SCHEME', 'NAMES'],
      rows: [
        ...loadBalancers,
        ...networkLoadBalancers.map((one) => ({ ...one, names: [one.dnsName] })),
      ].flatMap(({ scheme, nodes, names }) =>
        nodes.map(({ eni }) => {
          const { address, elastic } = eni.addresses[0];
          return [eni.thing, address, elastic ?? '', scheme, names.join(', ')];
        }),
      ),
    },
    {
      title: 'listener rules',
      headers: ['LISTENER', 'RULE', 'HOST', 'PATH', 'ACTION', 'TARGETS', 'WRITTEN'],
      rows: loadBalancers.flatMap(rowsOf),
    },
    {
      title: 'listeners of network load balancers',
      headers: ['LISTENER', 'SERVICE', 'TARGET GROUP', 'SOURCE SEEN', 'CROSS-ZONE', 'TARGETS'],
      rows: networkLoadBalancers.flatMap((balancer) =>
        balancer.listeners.map(({ protocol, port, targetGroup }) => [
          `nlb/${balancer.name}:${protocol}/${port}`,
          balancer.service,
          targetGroup.name,
          targetGroup.preservesClient ? 'client' : 'load balancer',
          balancer.crossZone ? 'on' : 'off',
          targetGroup.targets.map((one) => `${one.who}:${one.port}`).join(', ') || 'none',
        ]),
      ),
    },
  ];
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
