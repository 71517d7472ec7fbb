/**
 * Services of type LoadBalancer as Network Load Balancers: a listener for each port, whose target group holds the node port
 * of every node (target type instance) or the pods' own addresses (ip).
 *
 * The AWS Load Balancer Controller gives a load balancer two security groups, one that lets clients in and one that the nodes'
 * group lets in. The cloud provider gives it none, and opens the nodes' group to the clients at the node ports, and to the
 * load balancer's subnets for health checks.
 *
 * @fidelity same - names, target types, groups, subnets by their routes; simplified - the nodes' group lets the
 *   controller's load balancers in on all ports of the protocols that they listen on
 * @see https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/service/nlb/
 * @see cloud-provider-aws pkg/providers/v1/aws_loadbalancer.go updateInstanceSecurityGroupsForNLB
 */

import { networkInterface } from '../aws/network-interface.ts';
import {
  type NetworkLoadBalancer,
  nlbDnsName,
  type NlbListener,
  type NlbTarget,
  type NlbTargetGroup,
} from '../aws/network-load-balancer.ts';
import { resolveGroupsOfEni, type SecurityGroupSpec } from '../aws/security-group.ts';
import type { Subnet } from '../aws/subnet.ts';
import type { Diagnostics } from '../base/diagnostic.ts';
import { sha256Hex } from '../base/hash.ts';
import { type Cidr, contains } from '../base/ip.ts';
import { netnsName } from '../base/names.ts';
import type { Service, ServicePort } from '../k8s/cluster-services.ts';
import { matchesLabels } from '../k8s/selector.ts';
import { serviceReference } from '../k8s/service.ts';
import type { ServiceAddresses } from '../k8s/service-address.ts';
import type { Where } from '../source/yaml.ts';
import { BACKEND_GROUP, type BalancerNeeds, shortened } from './load-balancer-controller.ts';
import { chooseSubnets } from './load-balancer-subnets.ts';
import { HEALTH_CHECK_NODE_PORT, type NlbService, type NlbSettings } from './nlb-annotations.ts';
import { zoneOf } from './node.ts';

/** @see https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html "Availability Zones" */
const MIN_ZONES = 1;

/** As AWS names it. @see pkg/service/model_build_load_balancer.go; cloud-provider GetLoadBalancerName */
function awsNameOf({ service, settings }: NlbService): string {
  if (settings.loadBalancerName !== undefined) return settings.loadBalancerName;
  const hash = sha256Hex(`k8s/service/${service.namespace}/${service.name}`);
  return settings.madeBy === 'cloud provider'
    ? `a${hash.slice(0, 31)}`
    : `k8s-${shortened(service.namespace)}-${shortened(service.name)}-${hash.slice(0, 10)}`;
}

/** As the lab names it. */
export function nlbName({ namespace, name }: Pick<Service, 'namespace' | 'name'>): string {
  return namespace === 'default' ? name : `${namespace}-${name}`;
}

/** The security groups that the controller makes. */
export function nlbGroups(nlbs: readonly NlbService[]): Record<string, SecurityGroupSpec> {
  const groups: Record<string, SecurityGroupSpec> = {};
  for (const nlb of nlbs) {
    const { settings, service } = nlb;
    if (settings.madeBy !== 'controller' || settings.securityGroups !== undefined) continue;
    groups[awsNameOf(nlb)] = {
      ingress: settings.sourceRanges.flatMap((block) =>
        service.ports.map(({ protocol, port }) => ({ protocol, ports: port, from: block })),
      ),
      egress: [{ to: '0.0.0.0/0' }],
    };
    groups[BACKEND_GROUP] = { ingress: [], egress: [{ to: '0.0.0.0/0' }] };
  }
  return groups;
}

type IngressRule = SecurityGroupSpec['ingress'][number];

/** What the nodes' group lets in for their sake; `subnets` are the blocks in which a load balancer would be. */
export function nlbNodeRules(
  nlbs: readonly NlbService[],
  { nodePorts, healthCheckNodePorts }: Pick<ServiceAddresses, 'nodePorts' | 'healthCheckNodePorts'>,
  subnets: (scheme: NlbSettings['scheme']) => readonly Cidr[],
): IngressRule[] {
  const rules: IngressRule[] = [];
  for (const { service, settings } of nlbs) {
    if (settings.madeBy === 'controller') {
      if (settings.securityGroups !== undefined) continue;
      for (const protocol of new Set([
        'tcp' as const,
        ...service.ports.map((one) => one.protocol),
      ])) {
        rules.push({ protocol, from: `sg/${BACKEND_GROUP}` });
      }
      continue;
    }
    const reference = serviceReference(service.namespace, service.name);
    const ports = nodePorts.get(reference) ?? [];
    const healthPort = healthCheckNodePorts.get(reference);
    service.ports.forEach(({ protocol }, index) => {
      const nodePort = ports[index];
      if (nodePort === undefined) return;
      for (const block of settings.sourceRanges) {
        rules.push({ protocol, ports: nodePort, from: block });
      }
    });
    const checked = (healthPort === undefined ? ports : [healthPort]).filter(
      (port) => port !== undefined,
    );
    for (const block of subnets(settings.scheme)) {
      for (const port of checked) rules.push({ protocol: 'tcp', ports: port, from: block });
    }
  }
  return [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()];
}

export function resolveNetworkLoadBalancer(
  nlb: NlbService,
  needs: BalancerNeeds,
  diagnostics: Diagnostics,
): NetworkLoadBalancer | undefined {
  const { service: spec, settings } = nlb;
  const service = needs.services.find(
    (one) => one.namespace === spec.namespace && one.name === spec.name,
  );
  if (service === undefined) return undefined;
  const { at } = spec;
  const name = nlbName(spec);
  const awsName = awsNameOf(nlb);
  const subnets = chooseSubnets(
    {
      what: `Service "${spec.name}"`,
      names: settings.subnets,
      scheme: settings.scheme,
      minZones: MIN_ZONES,
      at: settings.at('subnets') ?? at,
    },
    needs,
    diagnostics,
  );
  if (subnets === undefined) return undefined;
  if (!checkAddresses(spec.name, settings, subnets, diagnostics)) return undefined;
  const listeners = service.ports.map((port): NlbListener => ({
    protocol: port.protocol,
    port: port.port,
    targetGroup: targetGroupOf(service, port, settings, needs, diagnostics),
  }));
  const preservesClients = listeners.some(({ targetGroup }) => targetGroup.preservesClient);
  const securityGroups = groupsOf(nlb, awsName, needs, diagnostics);
  const nodes = subnets.map((subnet, index) => {
    const reference = `nlb/${name}/${subnet.az}`;
    const netns = netnsName(`nlb-${name}-${subnet.az}`);
    const pinned = settings.privateAddresses?.[index];
    if (pinned !== undefined) {
      needs.book.pin(subnet, pinned, reference, settings.at('private-ipv4-addresses') ?? at);
    }
    const address = pinned ?? needs.book.take(subnet, reference, at);
    const elastic =
      settings.scheme === 'internet-facing'
        ? needs.elastic(
            reference,
            settings.elasticIps?.[index],
            settings.at('eip-allocations') ?? at,
          )
        : undefined;
    const eni = networkInterface({
      thing: reference,
      netns,
      link: 'eth0',
      subnet,
      addresses: [{ address, elastic }],
      // What it hands on bears the client's address.
      sourceDestCheck: !preservesClients,
      preservesClients,
      isAlwaysTracked: true,
      securityGroups,
      at,
    });
    return { az: subnet.az, netns, eni };
  });
  return {
    name,
    dnsName: nlbDnsName(awsName),
    scheme: settings.scheme,
    crossZone: settings.crossZone,
    nodes,
    listeners,
    idleTimeoutSeconds: settings.idleTimeoutSeconds,
    service: serviceReference(spec.namespace, spec.name),
    at,
  };
}

function groupsOf(
  { service, settings }: NlbService,
  awsName: string,
  { vpc }: BalancerNeeds,
  diagnostics: Diagnostics,
): string[] | undefined {
  if (settings.madeBy === 'cloud provider' && settings.securityGroups === undefined) {
    return undefined;
  }
  const at = settings.at('security-groups') ?? service.at;
  const where: Where = { at: () => at, keyAt: () => at, in: () => where };
  return resolveGroupsOfEni(
    vpc,
    settings.securityGroups ?? [awsName, BACKEND_GROUP],
    where,
    diagnostics,
  );
}

/** Reports `nlb-addresses`. */
function checkAddresses(
  name: string,
  settings: NlbSettings,
  subnets: readonly Subnet[],
  diagnostics: Diagnostics,
): boolean {
  const before = diagnostics.list.length;
  for (const [word, addresses] of [
    ['eip-allocations', settings.elasticIps],
    ['private-ipv4-addresses', settings.privateAddresses],
  ] as const) {
    if (addresses === undefined) continue;
    if (addresses.length !== subnets.length) {
      diagnostics.error(
        'nlb-addresses',
        settings.at(word),
        `the load balancer of Service "${name}" is in ${subnets.length} subnets (${subnets.map((one) => one.name).join(', ')}) and the addresses given to it are ${addresses.length}`,
        'give one for each subnet, in their order',
      );
    }
    if (word === 'eip-allocations') continue;
    addresses.forEach((address, index) => {
      const subnet = subnets[index];
      if (subnet === undefined || contains(subnet.cidr, address)) return;
      diagnostics.error(
        'nlb-addresses',
        settings.at(word),
        `${address} is not in subnet "${subnet.name}" ${subnet.cidr}`,
        'give one for each subnet, in their order',
      );
    });
  }
  return diagnostics.list.length === before;
}

/** Reports `nlb-target`. */
function targetGroupOf(
  service: Service,
  port: ServicePort,
  settings: NlbSettings,
  { nodes }: BalancerNeeds,
  diagnostics: Diagnostics,
): NlbTargetGroup {
  const { targetType, healthCheck } = settings;
  const targets: NlbTarget[] = [];
  if (targetType === 'ip') {
    for (const { ready, address, port: to, pod, node } of port.endpoints) {
      if (!ready) continue;
      const az = zoneOf(nodes.get(node ?? ''));
      targets.push({ address, port: to, who: pod ?? address, az });
    }
  } else if (port.nodePort === undefined) {
    diagnostics.error(
      'nlb-target',
      service.at,
      `port ${port.port} of Service "${service.name}" has no node port, and target type instance (the default) goes to one`,
      'take "allocateLoadBalancerNodePorts: false" out, or write service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: ip',
    );
  } else {
    for (const node of nodes.values()) {
      if (!matchesLabels(settings.nodeLabels, node.labels)) continue;
      const { address } = node.interfaces[0].addresses[0];
      targets.push({ address, port: port.nodePort, who: `node/${node.name}`, az: zoneOf(node) });
    }
  }
  // With target type ip, a TCP connection is the load balancer's own; datagrams always bear the client's address.
  const usual = targetType === 'instance' || port.protocol === 'udp';
  return {
    name: `${service.namespace}-${service.name}-${port.port}-${targetType}`,
    targetType,
    preservesClient:
      !settings.proxyProtocol &&
      (port.protocol === 'udp' ? usual : (settings.preservesClient ?? usual)),
    proxyProtocol: settings.proxyProtocol && port.protocol === 'tcp',
    isSticky: settings.isSticky,
    healthCheck: { ...healthCheck, port: checkPort(service, healthCheck.port, targetType) },
    targets,
  };
}

function checkPort(
  service: Service,
  port: NlbSettings['healthCheck']['port'],
  targetType: NlbSettings['targetType'],
): number | undefined {
  if (port === HEALTH_CHECK_NODE_PORT) return service.healthCheckNodePort;
  if (typeof port !== 'string') return port;
  const found = service.ports.find(({ name }) => name === port);
  return targetType === 'instance' ? found?.nodePort : found?.endpoints[0]?.port;
}
