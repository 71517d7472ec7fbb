/**
 * Fold 2: what the files say to what is: every name bound, every address given, every pod placed.
 *
 * The result is complete and depends on nothing but the files: the same lab is the same cloud, always.
 */

import { aliasTarget, type LoadBalancer } from './aws/application-load-balancer.ts';
import { type DbInstance, type DbServer, serversOf } from './aws/db-instance.ts';
import { type HostedZone, resolveHostedZones } from './aws/hosted-zone.ts';
import { type NetworkLoadBalancer, nlbAliasTarget } from './aws/network-load-balancer.ts';
import type { AddressMapping } from './aws/internet-gateway.ts';
import type { SecurityGroupSpec } from './aws/security-group.ts';
import { AddressBook, type AddressSources, type Subnet } from './aws/subnet.ts';
import {
  pinAddresses,
  resolveVpc,
  resolveVpcGround,
  type Vpc,
  type VpcGround,
  type VpcSpec,
} from './aws/vpc.ts';
import type { AliasTarget } from './aws/zone-record.ts';
import { Diagnostics, renderSourceRef, type SourceRef, suggest } from './base/diagnostic.ts';
import { hashModulo } from './base/hash.ts';
import {
  type Cidr,
  cidr,
  contains,
  type Ipv4,
  NOT_ROUTED_ON_THE_INTERNET,
  nth,
  size,
} from './base/ip.ts';
import { type NetnsName } from './base/names.ts';
import { findByReference, renderReference } from './base/reference.ts';
import { checkServiceCidr, type ClusterSpec, serviceCidrOf } from './eks/cluster.ts';
import { CLUSTER_SECURITY_GROUP, CLUSTER_SECURITY_GROUPS } from './eks/cluster-security-group.ts';
import { type ControlPlane, kubernetesService, resolveControlPlane } from './eks/control-plane.ts';
import { corednsDeployment, isSystemPod, kubeDnsService } from './eks/coredns.ts';
import { withExternalDns } from './eks/external-dns.ts';
import { type DnsSource, hostsOf, readDnsSource } from './eks/external-dns-source.ts';
import {
  backendRule,
  type BalancerNeeds,
  type BalancerPlan,
  controllerGroups,
  planBalancers,
  resolveBalancer,
} from './eks/load-balancer-controller.ts';
import {
  allInterfaces,
  type Node,
  type NodeGround,
  type PinSpec,
  pinNodeAddresses,
  podCapacity,
  resolveNode,
  resolveNodeGround,
  zoneOf,
} from './eks/node.ts';
import {
  nlbGroups,
  nlbName,
  nlbNodeRules,
  resolveNetworkLoadBalancer,
} from './eks/nlb-controller.ts';
import { resolvePodGroups } from './eks/pod-eni.ts';
import { excludedCidrs } from './eks/snat.ts';
import { type CniSettings, type Pod } from './eks/vpc-cni.ts';
import { INTERNET_NETNS, type InternetHost, resolveInternetHost } from './internet/host.ts';
import { resolveServices, type Service } from './k8s/cluster-services.ts';
import { allocateServiceAddresses } from './k8s/service-address.ts';
import { matchPolicies, type NetworkPolicy, warnOfIdle } from './k8s/network-policy-match.ts';
import type { Labels } from './k8s/selector.ts';
import { expandPods } from './k8s/controller.ts';
import type { Manifests } from './k8s/manifest.ts';
import { podReference } from './k8s/pod.ts';
import { type Placement, schedule } from './k8s/scheduler.ts';
import type { ServiceSpec } from './k8s/service.ts';
import type { LabSpec } from './lab.ts';
import type { Where } from './source/yaml.ts';

/** Anything of a lab that one can name, enter or send from. */
export interface Thing {
  /** `kind/name`, or the kind alone where the name says no more. */
  readonly reference: string;
  readonly kind: ThingKind;
  readonly netns: NetnsName;
  /** The address it is reached at; an internet gateway and a VPC have none. */
  readonly address: Ipv4 | undefined;
  /** False for what answers nobody and runs no programs of its own. */
  readonly isEndpoint: boolean;
  /** What every cluster has, and no file of the lab declares: CoreDNS, the control plane. */
  readonly isSystem: boolean;
  readonly at: SourceRef | undefined;
}

export type ThingKind =
  'pod' | 'node' | 'instance' | 'internet' | 'nat' | 'igw' | 'vpc' | 'eks' | 'alb' | 'nlb' | 'rds';

export interface Cluster {
  readonly vpc: string;
  readonly settings: CniSettings;
  readonly excludedCidrs: readonly Cidr[];
  readonly nodes: ReadonlyMap<string, Node>;
  readonly version: string;
  readonly addons: ClusterSpec['addons'];
  readonly serviceCidr: Cidr;
  readonly controlPlane: ControlPlane;
  /** With those that every cluster has. */
  readonly services: readonly Service[];
  /** Kubernetes' namespaces, with their labels. */
  readonly namespaces: ReadonlyMap<string, Labels>;
  readonly networkPolicies: readonly NetworkPolicy<Pod>[];
}

export interface Cloud {
  readonly name: string;
  readonly vpcs: ReadonlyMap<string, Vpc>;
  readonly cluster: Cluster | undefined;
  readonly pods: readonly Pod[];
  readonly internetHosts: readonly InternetHost[];
  readonly loadBalancers: readonly LoadBalancer[];
  readonly networkLoadBalancers: readonly NetworkLoadBalancer[];
  /** With what ExternalDNS makes in them. */
  readonly hostedZones: readonly HostedZone[];
  readonly things: ReadonlyMap<string, Thing>;
}

/** Where Elastic IPs come from that the lab does not pin: a documentation block (RFC 5737). */
const ELASTIC_POOL = cidr('203.0.113.0/24');

export function resolveCloud(lab: LabSpec, diagnostics: Diagnostics): Cloud {
  const { file, where } = lab;
  const book = new AddressBook(diagnostics);
  const grounds = new Map<string, VpcGround>();
  const balancers = planBalancers(lab.albs);
  for (const [name, written] of Object.entries(file.vpcs)) {
    const isOfCluster = file.cluster?.vpc === name;
    const implied = isOfCluster
      ? { ...CLUSTER_SECURITY_GROUPS, ...controllerGroups(balancers), ...nlbGroups(lab.nlbs) }
      : {};
    const opened = isOfCluster
      ? openToBalancers(written, implied, rulesForBalancers(lab, written, balancers))
      : { spec: written, implied };
    const { spec } = opened;
    const ground = resolveVpcGround(
      name,
      spec,
      opened.implied,
      where.in('vpcs', name),
      diagnostics,
    );
    grounds.set(name, ground);
  }
  const internetHosts = Object.entries(file.internet).map(([name, spec]) =>
    resolveInternetHost(name, spec, where.in('internet', name), diagnostics),
  );
  const elastic = elasticAddresses(lab, internetHosts, diagnostics);

  // Every pinned address is entered before anybody is given one.
  const nodes = resolveNodes(lab, grounds, diagnostics);
  for (const [name, spec] of Object.entries(file.vpcs)) {
    const ground = grounds.get(name);
    if (ground !== undefined) pinAddresses(ground, spec, book, where.in('vpcs', name));
  }
  for (const { ground, placements } of nodes.placed) {
    pinNodeAddresses(ground, placements, nodes.pins, book);
  }

  const resolvedNodes = new Map<string, Node>();
  for (const { ground, placements } of nodes.placed) {
    const node = resolveNode(
      ground,
      placements,
      {
        pins: nodes.pins,
        book,
        settings: nodes.settings,
        elastic,
        podGroups: nodes.podGroups,
      },
      diagnostics,
    );
    if (node !== undefined) resolvedNodes.set(node.name, node);
  }
  const cluster = resolveCluster(
    lab,
    grounds,
    { book, elastic },
    nodes,
    resolvedNodes,
    diagnostics,
  );
  const ofCluster = grounds.get(cluster?.vpc ?? '');
  const needs: BalancerNeeds | undefined =
    cluster === undefined || ofCluster === undefined
      ? undefined
      : {
          book,
          elastic,
          vpc: ofCluster,
          isPublic: (subnet: Subnet) => isPublicSubnet(file.vpcs[ofCluster.name], subnet),
          services: cluster.services,
          nodes: resolvedNodes,
        };
  const loadBalancers =
    needs === undefined
      ? []
      : balancers.flatMap((plan) => resolveBalancer(plan, needs, diagnostics) ?? []);
  const networkLoadBalancers =
    needs === undefined
      ? []
      : lab.nlbs.flatMap((nlb) => resolveNetworkLoadBalancer(nlb, needs, diagnostics) ?? []);
  const vpcs = new Map<string, Vpc>();
  for (const [name, spec] of Object.entries(file.vpcs)) {
    const ground = grounds.get(name);
    if (ground === undefined) continue;
    const nodeInterfaces =
      file.cluster?.vpc === name
        ? [
            ...[...resolvedNodes.values()].flatMap(allInterfaces),
            ...(cluster?.controlPlane.servers ?? []).flatMap((server) => server.interfaces),
            ...[...loadBalancers, ...networkLoadBalancers].flatMap(({ nodes: all }) =>
              all.map(({ eni }) => eni),
            ),
          ]
        : [];
    const sources = { book, elastic, nodeInterfaces };
    vpcs.set(name, resolveVpc(ground, spec, sources, where.in('vpcs', name), diagnostics));
  }

  checkDatabaseNames(lab, vpcs, diagnostics);

  const pods = [...resolvedNodes.values()].flatMap((node) => node.pods);
  const publicHost = cluster?.controlPlane.publicHost;
  const hosts = publicHost === undefined ? internetHosts : [...internetHosts, publicHost];
  return {
    name: lab.name,
    vpcs,
    cluster,
    pods,
    internetHosts: hosts,
    loadBalancers,
    networkLoadBalancers,
    hostedZones: resolveNames(
      lab,
      { vpcs: grounds, hosts: internetHosts, loadBalancers, networkLoadBalancers, balancers },
      diagnostics,
    ),
    things: nameThings(
      { vpcs, cluster, pods, hosts, loadBalancers, networkLoadBalancers },
      diagnostics,
    ),
  };
}

/** The zones that the lab declares, and what ExternalDNS enters for the load balancers that there are. */
function resolveNames(
  { file, where, nlbs }: LabSpec,
  {
    vpcs,
    hosts: internetHosts,
    loadBalancers,
    networkLoadBalancers,
    balancers,
  }: {
    readonly vpcs: ReadonlyMap<string, VpcGround>;
    readonly hosts: readonly InternetHost[];
    readonly loadBalancers: readonly LoadBalancer[];
    readonly networkLoadBalancers: readonly NetworkLoadBalancer[];
    readonly balancers: readonly BalancerPlan[];
  },
  diagnostics: Diagnostics,
): HostedZone[] {
  const targets = aliasTargets({ loadBalancers, networkLoadBalancers });
  const hosts = new Map(internetHosts.map(({ name, at }) => [name.toLowerCase(), at]));
  const declared = resolveHostedZones(
    file.hostedZones,
    { vpcs, targets, hosts },
    where.in('hostedZones'),
    diagnostics,
  );
  if (file.cluster?.addons['external-dns'] !== true) return declared;
  const sources = [
    ...balancers.flatMap(({ name, members }) =>
      members.flatMap(
        ({ ingress }): DnsSource | never[] =>
          readDnsSource('ingress', ingress, hostsOf(ingress), `alb/${name}`, diagnostics) ?? [],
      ),
    ),
    ...nlbs.flatMap(
      ({ service }): DnsSource | never[] =>
        readDnsSource('service', service, [], `nlb/${nlbName(service)}`, diagnostics) ?? [],
    ),
  ];
  return withExternalDns(declared, sources, { targets, hosts }, diagnostics);
}

/** What the nodes' group lets in for the sake of the load balancers. */
function rulesForBalancers(
  { file, manifests, nlbs }: LabSpec,
  vpc: VpcSpec,
  balancers: readonly BalancerPlan[],
): SecurityGroupSpec['ingress'] {
  if (file.cluster === undefined) return [];
  const rule = backendRule(balancers);
  const serviceCidr = serviceCidrOf(file.cluster, [vpc.cidr, ...vpc.secondaryCidrs]);
  // What is wrong with them is said where they are resolved.
  const addresses = allocateServiceAddresses(manifests.services, serviceCidr, new Diagnostics());
  const main = Object.entries(vpc.routeTables).find(([, table]) => table.main)?.[0] ?? '';
  const subnets = (scheme: 'internal' | 'internet-facing'): Cidr[] =>
    Object.values(vpc.subnets).flatMap(({ cidr: block, routeTable = main }) =>
      isPublicSubnet(vpc, { routeTable }) === (scheme === 'internet-facing') ? [block] : [],
    );
  const all = [...(rule === undefined ? [] : [rule]), ...nlbNodeRules(nlbs, addresses, subnets)];
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}

/** A DB instance's name is its account's in a region, whatever the VPC. @see RDS API, DBInstanceAlreadyExists */
function checkDatabaseNames(
  { where }: LabSpec,
  vpcs: ReadonlyMap<string, Vpc>,
  diagnostics: Diagnostics,
): void {
  const first = new Map<string, string>();
  for (const [vpc, { databases }] of vpcs) {
    for (const name of databases.keys()) {
      const there = first.get(name);
      if (there === undefined) first.set(name, vpc);
      else {
        diagnostics.error(
          'database-twice',
          where.keyAt('vpcs', vpc, 'databases', name),
          `VPC "${vpc}" has a database "${name}", and so has VPC "${there}"`,
          'give each a name of its own: it is part of its endpoint',
        );
      }
    }
  }
}

/** The controller lets its load balancers into the nodes' group, whoever declared that. */
function openToBalancers(
  spec: VpcSpec,
  implied: Readonly<Record<string, SecurityGroupSpec>>,
  rules: readonly SecurityGroupSpec['ingress'][number][],
): { readonly spec: VpcSpec; readonly implied: Readonly<Record<string, SecurityGroupSpec>> } {
  if (rules.length === 0) return { spec, implied };
  const open = (
    groups: Readonly<Record<string, SecurityGroupSpec>>,
  ): Record<string, SecurityGroupSpec> =>
    Object.fromEntries(
      Object.entries(groups).map(([name, group]) =>
        name === CLUSTER_SECURITY_GROUP
          ? [name, { ...group, ingress: [...group.ingress, ...rules] }]
          : [name, group],
      ),
    );
  return { spec: { ...spec, securityGroups: open(spec.securityGroups) }, implied: open(implied) };
}

/** Its routes lead to the internet gateway. */
function isPublicSubnet(vpc: VpcSpec | undefined, subnet: Pick<Subnet, 'routeTable'>): boolean {
  const gateway = vpc?.internetGateway;
  const routes = vpc?.routeTables[subnet.routeTable]?.routes ?? [];
  return (
    gateway !== undefined && routes.some(({ target }) => target === gateway || target === 'igw')
  );
}

function resolveCluster(
  lab: LabSpec,
  grounds: ReadonlyMap<string, VpcGround>,
  sources: AddressSources,
  { settings }: PlacedNodes,
  nodes: ReadonlyMap<string, Node>,
  diagnostics: Diagnostics,
): Cluster | undefined {
  const spec = lab.file.cluster;
  const vpc = grounds.get(spec?.vpc ?? '');
  if (spec === undefined || vpc === undefined) return undefined;
  const where = lab.where.in('cluster');
  const serviceCidr = serviceCidrOf(spec, vpc.cidrs);
  checkServiceCidr(serviceCidr, vpc, where, diagnostics);
  const hasInternet =
    Object.keys(lab.file.internet).length > 0 ||
    [...grounds.values()].some(({ internetGateway }) => internetGateway !== undefined);
  const controlPlane = resolveControlPlane(
    spec,
    vpc,
    { ...sources, serviceCidr, hasInternet },
    where,
    diagnostics,
  );
  const kubernetes = kubernetesService(controlPlane, serviceCidr, where);
  const own = [
    kubernetes.service,
    ...(spec.addons.coredns ? [kubeDnsService(serviceCidr, where)] : []),
  ];
  // A manifest of all that a cluster has holds these, too; they are what the cluster makes them.
  const isOwn = ({ namespace, name }: ServiceSpec): boolean =>
    own.some((one) => one.namespace === namespace && one.name === name);
  const { manifests } = lab;
  const services = resolveServices(
    [...own, ...manifests.services.filter((service) => !isOwn(service))],
    {
      own,
      serviceCidr,
      pods: [...nodes.values()].flatMap((node) => node.pods),
      slices: [
        kubernetes.slice,
        ...manifests.slices.filter(
          ({ namespace, service }) =>
            !own.some((one) => one.namespace === namespace && one.name === service),
        ),
      ],
      zoneOf: (node) => zoneOf(nodes.get(node)),
    },
    diagnostics,
  );
  const namespaces = new Map(
    [...manifests.namespaces].map(([name, { labels }]) => [name, labels] as const),
  );
  const pods = [...nodes.values()].flatMap((node) => node.pods);
  const networkPolicies = matchPolicies(manifests.networkPolicies, pods, namespaces);
  warnOfIdle(networkPolicies, diagnostics);
  return {
    vpc: spec.vpc,
    settings,
    excludedCidrs: excludedCidrs(settings, where.in('cni'), diagnostics),
    nodes,
    version: spec.version,
    addons: spec.addons,
    serviceCidr,
    controlPlane,
    services,
    namespaces,
    networkPolicies,
  };
}

interface PlacedNodes {
  readonly placed: readonly { ground: NodeGround; placements: readonly Placement[] }[];
  readonly pins: ReadonlyMap<string, { spec: PinSpec; where: Where }>;
  readonly settings: CniSettings;
  readonly podGroups: ReadonlyMap<string, readonly string[]>;
}

function resolveNodes(
  lab: LabSpec,
  grounds: ReadonlyMap<string, VpcGround>,
  diagnostics: Diagnostics,
): PlacedNodes {
  const { cluster } = lab.file;
  const where = lab.where.in('cluster');
  if (cluster === undefined) {
    const nowhere =
      lab.manifests.pods[0] ?? lab.manifests.workloads[0] ?? lab.manifests.services[0];
    if (nowhere !== undefined) {
      diagnostics.error(
        'no-cluster',
        nowhere.at,
        `"${nowhere.name}" has no node to run on: lab.yaml declares no cluster`,
        'add "cluster: { vpc: …, nodes: { node-1: { subnet: … } } }"',
      );
    }
    return { placed: [], pins: new Map(), settings: {} as CniSettings, podGroups: new Map() };
  }
  const vpc = grounds.get(cluster.vpc);
  if (vpc === undefined) {
    diagnostics.error(
      'unknown-vpc',
      where.at('vpc'),
      `the cluster is in VPC "${cluster.vpc}", which is not declared`,
      suggest(cluster.vpc, grounds.keys()),
    );
    return { placed: [], pins: new Map(), settings: cluster.cni, podGroups: new Map() };
  }
  const nodes: NodeGround[] = [];
  for (const [name, spec] of Object.entries(cluster.nodes)) {
    const at = where.in('nodes', name);
    const node = resolveNodeGround(vpc, name, spec, cluster.cni, at, diagnostics);
    if (node !== undefined) nodes.push(node);
  }
  const scheduling = nodes.map((node) => ({
    name: node.name,
    labels: node.labels,
    capacity: podCapacity(node),
    instanceType: node.instanceType.name,
  }));
  const specs = expandPods(withAddons(lab, nodes.length), scheduling, diagnostics);
  const references = specs.map((pod) => podReference(pod.namespace, pod.name));
  const pins = new Map<string, { spec: PinSpec; where: Where }>();
  for (const [reference, spec] of Object.entries(cluster.pins)) {
    const at = where.in('pins', reference);
    if (references.includes(reference)) pins.set(reference, { spec, where: at });
    else {
      diagnostics.error(
        'unknown-pod',
        at.keyAt(),
        `pin for "${reference}", which no manifest makes`,
        suggest(
          reference,
          specs
            .filter((pod) => !isSystemPod(pod))
            .map((pod) => podReference(pod.namespace, pod.name)),
        ),
      );
    }
  }
  const nodePins = new Map(
    [...pins].flatMap(([reference, { spec, where: at }]) =>
      spec.node === undefined ? [] : [[reference, { node: spec.node, at: at.at('node') }] as const],
    ),
  );
  const placements = schedule(specs, scheduling, nodePins, diagnostics);
  return {
    placed: nodes.map((ground) => ({
      ground,
      placements: placements.filter((placement) => placement.node === ground.name),
    })),
    pins,
    settings: cluster.cni,
    podGroups: resolvePodGroups(
      lab.manifests.securityGroupPolicies,
      specs,
      vpc,
      cluster.cni.ENABLE_POD_ENI,
      diagnostics,
    ),
  };
}

/** The manifests, and what EKS adds to them. */
function withAddons({ file, manifests, where }: LabSpec, nodes: number): Manifests {
  const isOn = file.cluster?.addons.coredns === true && nodes > 0;
  const coredns = corednsDeployment(where.in('cluster'));
  const isThere = manifests.workloads.some(
    ({ namespace, name }) => namespace === coredns.namespace && name === coredns.name,
  );
  return isOn && !isThere
    ? { ...manifests, workloads: [...manifests.workloads, coredns] }
    : manifests;
}

/** Gives out public addresses: the pinned ones, each once, and others that nobody pinned. */
function elasticAddresses(
  lab: LabSpec,
  hosts: readonly InternetHost[],
  diagnostics: Diagnostics,
): AddressSources['elastic'] {
  const owner = new Map<Ipv4, string>();
  for (const { name, address } of hosts) {
    const there = owner.get(address);
    if (there === undefined) owner.set(address, `internet/${name}`);
    else {
      diagnostics.error(
        'elastic-ip-taken',
        lab.where.at('internet', name, 'address'),
        `internet/${name} wants the public address ${address}, which ${there} has`,
        'give each host an address of its own',
      );
    }
  }
  const pinnedAnywhere = new Set<string>();
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      if (key === 'elasticIp' && typeof child === 'string') pinnedAnywhere.add(child);
      else collect(child);
    }
  };
  collect(lab.file);
  return (claimant, pinned, at) => {
    if (pinned === undefined) {
      const usable = size(ELASTIC_POOL) - 2;
      const start = hashModulo(`elastic/${claimant}`, usable);
      for (let step = 0; step < usable; step += 1) {
        const address = nth(ELASTIC_POOL, 1 + ((start + step) % usable));
        if (owner.has(address) || pinnedAnywhere.has(address)) continue;
        owner.set(address, claimant);
        return address;
      }
      diagnostics.error(
        'no-elastic-ip',
        at,
        `${claimant} gets no Elastic IP: ${ELASTIC_POOL} is used up`,
        'give it an elasticIp of another public block',
      );
      return nth(ELASTIC_POOL, 1);
    }
    const block = NOT_ROUTED_ON_THE_INTERNET.find((one) => contains(one, pinned));
    if (block !== undefined) {
      diagnostics.error(
        'not-a-public-address',
        at,
        `${claimant} has the Elastic IP ${pinned}, which lies in ${block} and is not routed on the internet`,
        `take a public one, for example of ${ELASTIC_POOL}`,
      );
    }
    const there = owner.get(pinned);
    if (there !== undefined) {
      diagnostics.error(
        'elastic-ip-taken',
        at,
        `${claimant} wants the public address ${pinned}, which ${there} has`,
        'take another, or leave it out to have one allocated',
      );
    }
    owner.set(pinned, claimant);
    return pinned;
  };
}

function nameThings(
  {
    vpcs,
    cluster,
    pods,
    hosts,
    loadBalancers,
    networkLoadBalancers,
  }: {
    readonly vpcs: ReadonlyMap<string, Vpc>;
    readonly cluster: Cluster | undefined;
    readonly pods: readonly Pod[];
    readonly hosts: readonly InternetHost[];
    readonly loadBalancers: readonly LoadBalancer[];
    readonly networkLoadBalancers: readonly NetworkLoadBalancer[];
  },
  diagnostics: Diagnostics,
): Map<string, Thing> {
  const things: Thing[] = [];
  const add = (
    kind: ThingKind,
    name: string,
    netns: NetnsName,
    address: Ipv4 | undefined,
    at: SourceRef | undefined,
    isSystem = false,
  ): void => {
    const isEndpoint = !['nat', 'igw', 'vpc'].includes(kind);
    const reference = renderReference(kind, name);
    things.push({ reference, kind, netns, address, isEndpoint, isSystem, at });
  };
  for (const vpc of vpcs.values()) {
    add('vpc', vpc.name, vpc.netns, undefined, vpc.at);
    const igw = vpc.internetGateway;
    if (igw !== undefined) add('igw', igw.name, igw.netns, undefined, igw.at);
    for (const nat of vpc.natGateways.values()) {
      add('nat', nat.name, nat.netns, nat.eni.addresses[0].address, nat.at);
    }
    for (const instance of vpc.instances.values()) {
      const { address } = instance.interfaces[0].addresses[0];
      add('instance', instance.name, instance.netns, address, instance.at);
    }
    for (const database of vpc.databases.values()) {
      for (const { netns, eni } of serversOf(database)) {
        add('rds', eni.thing.slice('rds/'.length), netns, eni.addresses[0].address, database.at);
      }
    }
  }
  for (const node of cluster?.nodes.values() ?? []) {
    add('node', node.name, node.netns, node.interfaces[0].addresses[0].address, node.at);
  }
  for (const { name, netns, interfaces, at } of cluster?.controlPlane.servers ?? []) {
    add('eks', name, netns, interfaces[0].addresses[0].address, at, true);
  }
  for (const [kind, all] of [
    ['alb', loadBalancers],
    ['nlb', networkLoadBalancers],
  ] as const) {
    for (const { nodes, at } of all) {
      for (const { netns, eni } of nodes) {
        add(kind, eni.thing.slice(`${kind}/`.length), netns, eni.addresses[0].address, at);
      }
    }
  }
  for (const { name, netns, address, at, isSystem } of hosts) {
    add('internet', name, netns, address, at, isSystem);
  }
  for (const pod of pods) {
    const name = podReference(pod.spec.namespace, pod.spec.name).slice('pod/'.length);
    add('pod', name, pod.netns, pod.address, pod.spec.at, isSystemPod(pod.spec));
  }

  const byNetns = new Map<NetnsName, Thing>();
  for (const thing of things) {
    const there = byNetns.get(thing.netns);
    const sharesOnPurpose = thing.kind === 'pod' && there?.kind === 'node';
    if (thing.netns === INTERNET_NETNS || (there !== undefined && !sharesOnPurpose)) {
      const other =
        there === undefined
          ? "the internet's own router"
          : `${there.reference}${there.at === undefined ? '' : ` (${renderSourceRef(there.at)})`}`;
      diagnostics.error(
        'netns-clash',
        thing.at,
        `${thing.reference} would have the network namespace "${thing.netns}", which ${other} has`,
        'rename one of the two',
      );
    }
    if (there === undefined) byNetns.set(thing.netns, thing);
  }
  return new Map(things.map((thing) => [thing.reference, thing]));
}

/** The load balancers, as alias records of Route 53 lead to them. */
export function aliasTargets({
  loadBalancers,
  networkLoadBalancers,
}: Pick<Cloud, 'loadBalancers' | 'networkLoadBalancers'>): AliasTarget[] {
  return [...loadBalancers.map(aliasTarget), ...networkLoadBalancers.map(nlbAliasTarget)];
}

/** The public addresses that the VPC's internet gateway knows. */
export function addressMappings(vpc: Vpc): AddressMapping[] {
  return vpc.interfaces.flatMap((eni) =>
    eni.addresses.flatMap(({ address, elastic }) =>
      elastic === undefined ? [] : [{ public: elastic, private: address, thing: eni.thing }],
    ),
  );
}

/** The VPC that an endpoint is in; undefined for what is in none, and for what runs no programs of its own. */
export function vpcOfThing(cloud: Cloud, { kind, netns }: Thing): Vpc | undefined {
  if (['pod', 'node', 'eks', 'alb', 'nlb'].includes(kind))
    return cloud.vpcs.get(cloud.cluster?.vpc ?? '');
  if (kind !== 'instance' && kind !== 'rds') return undefined;
  return [...cloud.vpcs.values()].find(({ interfaces }) =>
    interfaces.some((eni) => eni.netns === netns),
  );
}

/** The DB instance that has a server in a network namespace, and that server. */
export function findDatabase(
  cloud: Pick<Cloud, 'vpcs'>,
  netns: NetnsName,
): { readonly database: DbInstance; readonly server: DbServer } | undefined {
  for (const database of databasesOf(cloud)) {
    const server = serversOf(database).find((one) => one.netns === netns);
    if (server !== undefined) return { database, server };
  }
  return undefined;
}

export function databasesOf({ vpcs }: Pick<Cloud, 'vpcs'>): DbInstance[] {
  return [...vpcs.values()].flatMap(({ databases }) => [...databases.values()]);
}

/** A thing by the words of a person. */
export function findThing(cloud: Pick<Cloud, 'things'>, text: string): Thing | undefined {
  return cloud.things.get(text) ?? findByReference([...cloud.things.values()], text);
}

/** `netpol/shop/api-allow`, `netpol/api-allow` in the namespace default. */
export function findPolicy(
  cloud: Pick<Cloud, 'cluster'>,
  text: string,
): NetworkPolicy<Pod> | undefined {
  const word = text.replace(/^netpol\/([^/]+)$/, 'netpol/default/$1');
  return cloud.cluster?.networkPolicies.find(({ spec }) => spec.reference === word);
}

/** `svc/web`, `svc/default/web` for it, `svc/shop/web`. */
export function findService(cloud: Pick<Cloud, 'cluster'>, text: string): Service | undefined {
  const word = text.replace(/^svc\/default\//, 'svc/');
  return cloud.cluster?.services.find(({ reference }) => reference === word);
}
