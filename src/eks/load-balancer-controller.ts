/**
 * AWS Load Balancer Controller: turns Ingresses into Application Load Balancers, and keeps their target groups filled.
 *
 * An Ingress has a load balancer of its own, or shares one with all of its group. Each backend is a target group: the
 * addresses of pods (target type ip) or a node port of every node (instance). Unless the lab names groups, the controller
 * makes two: one that lets the world in at the listeners, one that the nodes let in.
 *
 * @fidelity same - defaults, names, order of rules (Exact, then the longest Prefix, then ImplementationSpecific), subnets by
 *   their routes (as where none bears a role tag), fixed 404 and 503; simplified - the nodes' group lets it in on all TCP
 *   ports; Ingresses are made true before the lab is up, not while it is
 * @see https://kubernetes-sigs.github.io/aws-load-balancer-controller/ guide/ingress, deploy/subnet_discovery
 * @see aws-load-balancer-controller@225f4456 pkg/ingress/model_build_listener_rules.go
 */

import {
  type ListenerRule,
  type LoadBalancer,
  loadBalancerDnsName,
  type PathCondition,
  type RuleAction,
} from '../aws/application-load-balancer.ts';
import { networkInterface } from '../aws/network-interface.ts';
import { resolveGroupsOfEni, type SecurityGroupSpec } from '../aws/security-group.ts';
import type { RuleCondition } from '../aws/rule-condition.ts';
import type { AddressSources } from '../aws/subnet.ts';
import type { Target, TargetGroup } from '../aws/target-group.ts';
import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import { sha256Hex } from '../base/hash.ts';
import { netnsName } from '../base/names.ts';
import type { Service, ServicePort } from '../k8s/cluster-services.ts';
import type { IngressBackend, IngressPath, IngressSpec } from '../k8s/ingress.ts';
import type { Where } from '../source/yaml.ts';
import { type AlbListenPort, type AlbSettings, USE_ANNOTATION } from './alb-annotations.ts';
import type { AlbIngress, AlbIngresses } from './alb-ingress.ts';
import { type AlbTargetSettings, targetSettings } from './alb-target.ts';
import { chooseSubnets, type SubnetChoice } from './load-balancer-subnets.ts';
import type { Node } from './node.ts';

/** @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html "Subnets for your load balancer" */
const MIN_ZONES = 2;

/** One load balancer that is to be, and the Ingresses that it is for, in the order of their rules. */
export interface BalancerPlan {
  /** As the lab names it: the group's name, or the Ingress's. */
  readonly name: string;
  /** As AWS names it. */
  readonly awsName: string;
  readonly settings: AlbSettings;
  readonly members: readonly AlbIngress[];
  readonly servicesSay: AlbIngresses['services'];
  readonly groups: { readonly frontend: string; readonly backend: string };
}

/** The group that all load balancers of the controller's share, by which targets know them. */
export const BACKEND_GROUP = `k8s-traffic-${sha256Hex('k8s-traffic').slice(0, 10)}`;

/** The Ingresses that are the controller's, by load balancer. */
export function planBalancers({ ingresses, services }: AlbIngresses): BalancerPlan[] {
  const groups = new Map<string, BalancerPlan['members'][number][]>();
  for (const one of ingresses) {
    const { ingress, settings } = one;
    const { groupName } = settings;
    const key =
      groupName === undefined ? `${ingress.namespace}/${ingress.name}` : `group ${groupName}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups].flatMap(([key, all]) => {
    const members = all.toSorted(
      (a, b) =>
        a.settings.groupOrder - b.settings.groupOrder ||
        (keyOf(a.ingress) < keyOf(b.ingress) ? -1 : 1),
    );
    const [first] = members;
    if (first === undefined) return [];
    const { ingress, settings } = first;
    const { groupName, loadBalancerName } = settings;
    const own =
      ingress.namespace === 'default' ? ingress.name : `${ingress.namespace}-${ingress.name}`;
    const hash = sha256Hex(`k8s/${key}`).slice(0, 10);
    const awsName =
      loadBalancerName ??
      (groupName === undefined
        ? `k8s-${shortened(ingress.namespace)}-${shortened(ingress.name)}-${hash}`
        : `k8s-${groupName.slice(0, 17)}-${hash}`);
    return [
      {
        name: groupName ?? own,
        awsName,
        settings,
        members,
        servicesSay: services,
        groups: {
          frontend: awsName,
          backend: BACKEND_GROUP,
        },
      },
    ];
  });
}

/** @see pkg/ingress/model_build_load_balancer.go buildLoadBalancerName */
export function shortened(name: string): string {
  return name.replaceAll(/[^a-z0-9]/g, '').slice(0, 8);
}

function keyOf({ namespace, name }: IngressSpec): string {
  return `${namespace}/${name}`;
}

/** The security groups that the controller makes. */
export function controllerGroups(
  plans: readonly BalancerPlan[],
): Record<string, SecurityGroupSpec> {
  const groups: Record<string, SecurityGroupSpec> = {};
  for (const { settings, groups: names, members } of plans) {
    if (settings.securityGroups !== undefined) continue;
    const ports = [
      ...new Set(members.flatMap((one) => one.settings.listeners.map(({ port }) => port))),
    ];
    groups[names.frontend] = {
      ingress: settings.inboundCidrs.flatMap((block) =>
        ports.map((port) => ({ protocol: 'tcp' as const, ports: port, from: block })),
      ),
      egress: [{ to: '0.0.0.0/0' }],
    };
    groups[names.backend] = { ingress: [], egress: [{ to: '0.0.0.0/0' }] };
  }
  return groups;
}

/** The rule of the nodes' group that lets the load balancers in; undefined where there is none. */
export function backendRule(
  plans: readonly BalancerPlan[],
): SecurityGroupSpec['ingress'][number] | undefined {
  const plan = plans.find(({ settings }) => settings.securityGroups === undefined);
  return plan === undefined ? undefined : { protocol: 'tcp', from: `sg/${plan.groups.backend}` };
}

export interface BalancerNeeds extends AddressSources, SubnetChoice {
  readonly services: readonly Service[];
  readonly nodes: ReadonlyMap<string, Node>;
}

export function resolveBalancer(
  plan: BalancerPlan,
  needs: BalancerNeeds,
  diagnostics: Diagnostics,
): LoadBalancer | undefined {
  const { name, awsName, settings, members } = plan;
  const [first] = members;
  if (first === undefined) return undefined;
  const { at } = first.ingress;
  const subnets = chooseSubnets(
    {
      what: `Ingress "${name}"`,
      names: settings.subnets,
      scheme: settings.scheme,
      minZones: MIN_ZONES,
      at: settings.at('subnets') ?? at,
    },
    needs,
    diagnostics,
  );
  if (subnets === undefined) return undefined;
  const { scheme } = settings;
  const written = settings.securityGroups ?? [plan.groups.frontend, plan.groups.backend];
  const where: Where = { at: () => at, keyAt: () => at, in: () => where };
  const groups = resolveGroupsOfEni(needs.vpc, written, where, diagnostics);
  const nodes = subnets.map((subnet) => {
    const reference = `alb/${name}/${subnet.az}`;
    const netns = netnsName(`alb-${name}-${subnet.az}`);
    const address = needs.book.take(subnet, reference, at);
    const elastic =
      scheme === 'internet-facing' ? needs.elastic(reference, undefined, at) : undefined;
    const eni = networkInterface({
      thing: reference,
      netns,
      link: 'eth0',
      subnet,
      addresses: [{ address, elastic }],
      sourceDestCheck: true,
      securityGroups: groups,
      at,
    });
    return { az: subnet.az, netns, eni };
  });
  const dnsName = loadBalancerDnsName(awsName, scheme);
  const hosts = members.flatMap(({ ingress }) =>
    ingress.rules.flatMap(({ host }) => (host === undefined || host.startsWith('*') ? [] : [host])),
  );
  const rules = members.flatMap((member) => rulesOf(member, plan.servicesSay, needs, diagnostics));
  const numbered = rules.map((rule, index): ListenerRule => ({ ...rule, priority: index + 1 }));
  const names = [dnsName, ...new Set(hosts.map((host) => host.toLowerCase()))];
  const ports = listenPorts(members, diagnostics);
  return {
    name,
    dnsName,
    scheme,
    nodes,
    listeners: [...ports.values()].map(({ port, protocol }) => ({
      port,
      tls: protocol === 'HTTPS' ? certificatePath(plan) : undefined,
      rules:
        protocol === 'HTTP' && settings.sslRedirect !== undefined
          ? [redirectToTls(settings.sslRedirect, first.ingress)]
          : numbered,
    })),
    idleTimeoutSeconds: settings.idleTimeoutSeconds,
    accessLog: settings.accessLog,
    // What stands for the certificate of ACM that an Ingress names: one of the cluster's authority.
    certificate: [...ports.values()].some(({ protocol }) => protocol === 'HTTPS')
      ? { path: certificatePath(plan), names: names.map((one) => `DNS:${one}`) }
      : undefined,
    at,
  };
}

/**
 * Of all members, which share them. Reports `alb-listener`.
 * @see pkg/ingress/model_builder.go mergeListenPortConfigs, cert_discovery.go
 */
function listenPorts(
  members: readonly AlbIngress[],
  diagnostics: Diagnostics,
): Map<number, AlbListenPort> {
  const ports = new Map<number, AlbListenPort & { readonly by: string }>();
  for (const { ingress, settings } of members) {
    const at = settings.at('listen-ports') ?? ingress.at;
    for (const listener of settings.listeners) {
      const { port, protocol } = listener;
      const there = ports.get(port);
      if (there !== undefined && there.protocol !== protocol) {
        diagnostics.error(
          'alb-listener',
          at,
          `Ingress "${ingress.name}" listens for ${protocol} at port ${port}, where Ingress "${there.by}" of the same load balancer listens for ${there.protocol}`,
          'take the same protocol, another port, or a group of its own',
        );
      }
      ports.set(port, { ...listener, by: ingress.name });
      const isNamed =
        ingress.tls.some(({ hosts }) => hosts.length > 0) ||
        ingress.rules.some(({ host }) => host !== undefined);
      if (protocol === 'HTTPS' && settings.certificates.length === 0 && !isNamed) {
        diagnostics.error(
          'alb-listener',
          at,
          `Ingress "${ingress.name}" listens for HTTPS at port ${port}, and has no certificate: it names none, and no host by which one is found`,
          'write alb.ingress.kubernetes.io/certificate-arn, or give a rule a host',
        );
      }
    }
  }
  return ports;
}

function certificatePath({ awsName }: BalancerPlan): string {
  return `/run/hoplab/pki/${awsName}.pem`;
}

function redirectToTls(port: number, { at }: IngressSpec): ListenerRule {
  const target = port === 443 ? '' : `:${port}`;
  return {
    priority: 1,
    hosts: [],
    paths: [],
    conditions: [],
    action: {
      kind: 'redirect',
      status: 301,
      location: `https://#{host}${target}/#{path}?#{query}`,
    },
    at,
  };
}

/** In the order in which they are looked at. */
function rulesOf(
  member: AlbIngress,
  servicesSay: BalancerPlan['servicesSay'],
  needs: BalancerNeeds,
  diagnostics: Diagnostics,
): Omit<ListenerRule, 'priority'>[] {
  const { ingress, settings } = member;
  const rules = ingress.rules.flatMap(({ host, paths }) =>
    [...paths].sort(comparePaths).map((one) => ({
      ...conditionsOf(settings, host, one),
      action: actionOf(member, servicesSay, one.backend, needs, diagnostics),
      at: one.where.at('path'),
    })),
  );
  const { defaultBackend } = ingress;
  if (defaultBackend === undefined) return rules;
  const action = actionOf(member, servicesSay, defaultBackend, needs, diagnostics);
  const bare = { hosts: [], paths: [], conditions: [] };
  return [...rules, { ...bare, action, at: defaultBackend.where.at() }];
}

const PATH_ORDER = { Exact: 0, Prefix: 1, ImplementationSpecific: 2 } as const;

/** Of prefixes the longest first; all else in its order. */
function comparePaths(a: IngressPath, b: IngressPath): number {
  const byKind = PATH_ORDER[a.pathType] - PATH_ORDER[b.pathType];
  if (byKind !== 0 || a.pathType !== 'Prefix') return byKind;
  return b.path.length - a.path.length;
}

/** Further hosts and paths are as good as the rule's own. @see model_build_listener_rules.go buildRuleConditions */
function conditionsOf(
  { conditions: written }: AlbSettings,
  host: string | undefined,
  { path, pathType, backend }: IngressPath,
): Pick<ListenerRule, 'hosts' | 'paths' | 'conditions'> {
  const kind = { Exact: 'exact', Prefix: 'prefix', ImplementationSpecific: 'pattern' } as const;
  const hosts = host === undefined ? [] : [host];
  const paths: PathCondition[] = path === '' ? [] : [{ kind: kind[pathType], path }];
  const conditions: RuleCondition[] = [];
  for (const one of written.get(backend.service) ?? []) {
    if (one.field === 'host-header') hosts.push(...one.values);
    else if (one.field === 'path-pattern') {
      paths.push(...one.values.map((value) => ({ kind: 'pattern' as const, path: value })));
    } else conditions.push(one);
  }
  return { hosts, paths, conditions };
}

/** Reports `ingress-backend`. */
function actionOf(
  member: AlbIngress,
  servicesSay: BalancerPlan['servicesSay'],
  backend: IngressBackend,
  needs: BalancerNeeds,
  diagnostics: Diagnostics,
): RuleAction {
  const { settings } = member;
  if (backend.port === USE_ANNOTATION) {
    const action = settings.actions.get(backend.service);
    if (action?.type === 'fixed-response') {
      const { statusCode: status, contentType, messageBody: body } = action;
      return { kind: 'fixed', status, contentType, body };
    }
    if (action?.type === 'redirect') {
      const { protocol, host, port, path, query, statusCode: status } = action;
      const scheme = protocol.includes('#') ? 'http' : protocol.toLowerCase();
      const isUsual = port.includes('#') || port === (scheme === 'https' ? '443' : '80');
      const location = `${scheme}://${host}${isUsual ? '' : `:${port}`}${path}${query === '' ? '' : `?${query}`}`;
      return { kind: 'redirect', status, location };
    }
    if (action === undefined) return missing();
    const at = settings.at(`actions.${backend.service}`) ?? backend.where.at();
    const groups = action.targetGroups.flatMap(({ service, port, weight }) => {
      const group = targetGroupFor(member, servicesSay, { service, port, at }, needs, diagnostics);
      return group === undefined ? [] : [{ group, weight }];
    });
    const [first, ...others] = groups;
    if (first === undefined) return missing();
    return {
      kind: 'forward',
      groups: [first, ...others],
      stickinessSeconds: action.stickinessSeconds,
    };
  }
  const { service, port, where } = backend;
  const asked = { service, port, at: where.at() };
  const group = targetGroupFor(member, servicesSay, asked, needs, diagnostics);
  return group === undefined
    ? missing()
    : { kind: 'forward', groups: [{ group, weight: 1 }], stickinessSeconds: undefined };
}

/** Undefined for a Service or a port that is not there. Reports `ingress-backend`. */
function targetGroupFor(
  { ingress, settings }: AlbIngress,
  servicesSay: BalancerPlan['servicesSay'],
  asked: {
    readonly service: string;
    readonly port: number | string;
    readonly at: SourceRef;
  },
  needs: BalancerNeeds,
  diagnostics: Diagnostics,
): TargetGroup | undefined {
  const service = needs.services.find(
    (one) => one.namespace === ingress.namespace && one.name === asked.service,
  );
  if (service === undefined) {
    const here = needs.services.filter((one) => one.namespace === ingress.namespace);
    diagnostics.error(
      'ingress-backend',
      asked.at,
      `Ingress "${ingress.name}" sends to Service "${asked.service}", which namespace "${ingress.namespace}" has not`,
      suggest(
        asked.service,
        here.map(({ name }) => name),
      ),
    );
    return undefined;
  }
  const port = service.ports.find((one) => one.port === asked.port || one.name === asked.port);
  if (port === undefined) {
    diagnostics.error(
      'ingress-backend',
      asked.at,
      `Ingress "${ingress.name}" sends to port ${asked.port} of Service "${service.name}", which has ${service.ports.map((one) => one.name || String(one.port)).join(', ')}`,
      'take one of them',
    );
    return undefined;
  }
  const said = servicesSay.get(`${service.namespace}/${service.name}`);
  const target = targetSettings(settings.target, said);
  return targetGroupOf(service, port, target, needs, () => {
    diagnostics.error(
      'ingress-backend',
      asked.at,
      `Service "${service.name}" has no node port, and target type instance (the default) goes to one`,
      'make it "type: NodePort", or set alb.ingress.kubernetes.io/target-type: ip',
    );
  });
}

/** What the controller does with a backend that is not there. */
function missing(): RuleAction {
  return {
    kind: 'fixed',
    status: 503,
    contentType: 'text/plain',
    body: 'Backend service does not exist',
  };
}

function targetGroupOf(
  service: Service,
  port: ServicePort,
  settings: AlbTargetSettings,
  { nodes }: BalancerNeeds,
  reportNoNodePort: () => void,
): TargetGroup {
  const { healthCheck } = settings;
  const targets: Target[] = [];
  if (settings.targetType === 'ip') {
    for (const endpoint of port.endpoints) {
      if (!endpoint.ready) continue;
      const { address, port: to } = endpoint;
      targets.push({ address, port: to, who: endpoint.pod ?? address });
    }
  } else if (port.nodePort === undefined) reportNoNodePort();
  else {
    for (const { name, interfaces } of nodes.values()) {
      const { address } = interfaces[0].addresses[0];
      targets.push({ address, port: port.nodePort, who: `node/${name}` });
    }
  }
  const named = service.ports.find((one) => one.name === healthCheck.port);
  const checkPort = typeof healthCheck.port === 'number' ? healthCheck.port : named?.nodePort;
  return {
    name: `${service.namespace}-${service.name}-${port.port}-${settings.targetType}`,
    targetType: settings.targetType,
    protocol: settings.protocol,
    healthCheck: { ...healthCheck, port: checkPort },
    algorithm: settings.algorithm,
    stickinessSeconds: settings.stickinessSeconds,
    slowStartSeconds: settings.slowStartSeconds,
    deregistrationDelaySeconds: settings.deregistrationDelaySeconds,
    targets,
  };
}
