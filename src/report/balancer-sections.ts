/** The load balancers of a lab in tables: their nodes, their rules, and whom each rule leads to. */

import { type LoadBalancer, type ListenerRule } from '../aws/application-load-balancer.ts';
import type { HostedZone } from '../aws/hosted-zone.ts';
import type { RuleCondition } from '../aws/rule-condition.ts';
import { renderSourceRef } from '../base/diagnostic.ts';
import type { Cloud } from '../cloud.ts';
import type { Section } from './section.ts';

export function balancerSections({
  loadBalancers,
  networkLoadBalancers,
  hostedZones,
}: Cloud): Section[] {
  return [
    {
      title: 'load balancers',
      headers: ['NODE', 'ADDRESS', 'ELASTIC IP', 'SCHEME', 'NAMES'],
      rows: [
        ...loadBalancers.map((one) => ({ ...one, reference: `alb/${one.name}` })),
        ...networkLoadBalancers.map((one) => ({ ...one, reference: `nlb/${one.name}` })),
      ].flatMap((balancer) =>
        balancer.nodes.map(({ eni }) => {
          const { address, elastic } = eni.addresses[0];
          return [
            eni.thing,
            address,
            elastic ?? '',
            balancer.scheme,
            [balancer.dnsName, ...aliasesOf(balancer.reference, hostedZones)].join(', '),
          ];
        }),
      ),
    },
    ruleSection(loadBalancers),
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

/** The names of Route 53 that lead to it: `alb/web`. */
export function aliasesOf(reference: string, zones: readonly HostedZone[]): string[] {
  const names = zones.flatMap(({ records }) =>
    records.flatMap(({ name, data }) =>
      data.type === 'alias' && data.target === reference ? [name] : [],
    ),
  );
  return [...new Set(names)];
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
      [rule.paths.map(pathWords).join(', ') || 'any', ...rule.conditions.map(conditionWords)].join(
        ', and ',
      ),
      ...actionOf(rule),
      renderSourceRef(rule.at),
    ]),
  );
}

/** `/api (prefix)`. */
export function pathWords({ kind, path }: ListenerRule['paths'][number]): string {
  return `${path} (${kind})`;
}

/** `HTTPS:443`. */
export function listenerName({ tls, port }: LoadBalancer['listeners'][number]): string {
  return `${tls === undefined ? 'HTTP' : 'HTTPS'}:${port}`;
}

/** As it stands beside host and path: `header x-canary: yes or true`. */
function conditionWords(condition: RuleCondition): string {
  const any = (values: readonly string[]): string => values.join(' or ');
  switch (condition.field) {
    case 'http-header':
      return `header ${condition.header}: ${any(condition.values)}`;
    case 'http-request-method':
      return `method ${any(condition.values)}`;
    case 'query-string':
      return `query ${any(condition.values.map(({ key, value }) => (key === undefined ? value : `${key}=${value}`)))}`;
    case 'source-ip':
      return `from ${any(condition.values)}`;
  }
}

export function actionOf({ action }: ListenerRule): [what: string, targets: string] {
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
