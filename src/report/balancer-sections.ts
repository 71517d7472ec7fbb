/** The load balancers of a lab in tables: their nodes, their rules, and whom each rule leads to. */

import type { LoadBalancer, ListenerRule } from '../aws/application-load-balancer.ts';
import { renderSourceRef } from '../base/diagnostic.ts';
import type { Cloud } from '../cloud.ts';
import type { Section } from './section.ts';

export function balancerSections({ loadBalancers }: Cloud): Section[] {
  return [
    {
      title: 'load balancers',
      headers: ['NODE', 'ADDRESS', 'ELASTIC IP', 'SCHEME', 'NAMES'],
      rows: loadBalancers.flatMap(({ scheme, nodes, names }) =>
        nodes.map(({ eni }) => {
          const { address, elastic } = eni.addresses[0];
          return [eni.thing, address, elastic ?? '', scheme, names.join(', ')];
        }),
      ),
    },
    ruleSection(loadBalancers),
  ];
}

export function ruleSection(balancers: readonly LoadBalancer[]): Section {
  return {
    title: 'listener rules',
    headers: ['LISTENER', 'RULE', 'HOST', 'PATH', 'ACTION', 'TARGETS', 'WRITTEN'],
    rows: balancers.flatMap(rowsOf),
  };
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
      const { groups } = action;
      const total = groups.reduce((sum, { weight }) => sum + weight, 0);
      const names = groups.map(({ group, weight }) =>
        groups.length === 1 ? group.name : `${group.name} (${weight} of ${total})`,
      );
      const targets = groups.flatMap(({ group }) =>
        group.targets.map(({ who, port }) => `${who}:${port}`),
      );
      return [`to ${names.join(', ')}`, targets.join(', ') || 'none'];
    }
    case 'fixed':
      return [`answers ${action.status}`, ''];
    case 'redirect':
      return [`${action.status} to ${action.location}`, ''];
  }
}
