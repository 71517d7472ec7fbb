/**
 * Labs that nobody thought of. A lab is a row of features, each drawn by itself: what it drew is an edit of the lab so far,
 * so that a later feature may refer to whatever an earlier one brought, and fast-check can make each of them smaller. A
 * feature picks among what is there by a number that goes round, so that a smaller lab is still a whole one.
 *
 * A new feature is one more entry of FEATURES.
 */

import fc from 'fast-check';
import { stringify } from 'yaml';

export interface RandomLab {
  readonly lab: string;
  /** Empty when the lab has no cluster. */
  readonly manifests: string;
}

/** What the files will say, as far as features have something to do with it; each may add keys of its own. */
export interface Draft {
  readonly vpc: VpcDraft;
  readonly cluster: ClusterDraft;
  readonly internet: Record<string, { address: string; ports: readonly number[] } & More>;
  readonly pods: PodDraft[];
  readonly services: ServiceDraft[];
  readonly slices: SliceDraft[];
  readonly policies: PolicyDraft[];
  readonly groupPolicies: PolicyDraft[];
}

interface PolicyDraft {
  readonly name: string;
  readonly spec: More;
}

interface ServiceDraft {
  readonly name: string;
  readonly spec: More;
}

/** Endpoints that are no pods. */
interface SliceDraft {
  readonly service: string;
  readonly ports: readonly number[];
  readonly addresses: readonly string[];
}

type More = Record<string, unknown>;

interface VpcDraft extends More {
  cidr: string;
  internetGateway?: string;
  readonly subnets: Record<string, { cidr: string; az: string; routeTable?: string } & More>;
  readonly natGateways: Record<string, { subnet: string } & More>;
  readonly routeTables: Record<string, { main?: boolean; routes: RouteDraft[] } & More>;
  readonly instances: Record<string, { subnet: string } & More>;
  securityGroups: Record<string, More>;
}

interface RouteDraft {
  readonly destination: string;
  readonly target: string;
}

interface ClusterDraft extends More {
  vpc: string;
  readonly cni: Record<string, string>;
  readonly nodes: Record<string, { subnet: string } & More>;
  readonly pins: Record<string, { node: string } & More>;
}

interface PodDraft {
  readonly name: string;
  readonly app: string;
  readonly ports: readonly ({ containerPort: number } & More)[];
  readonly annotations: Record<string, string>;
  readonly hostNetwork: boolean;
}

export type Edit = (draft: Draft) => void;
export type Feature = fc.Arbitrary<Edit>;

/** One of what is there. */
const pick = fc.nat({ max: 59 });

function picked<Item>(items: readonly Item[], number: number): Item {
  const item = items[number % items.length];
  if (item === undefined) throw new Error('there is nothing to pick from');
  return item;
}

/** True once in so many times; made smaller, it is false. */
const rarely = (times: number): fc.Arbitrary<boolean> =>
  fc.nat({ max: times - 1 }).map((number) => number === times - 1);

const ZONES = ['az-1', 'az-2'];

/** `10.0.1.0/24` and on, in two zones. */
const subnets: Feature = fc.integer({ min: 2, max: 4 }).map((count) => ({ vpc }) => {
  for (let index = 0; index < count; index += 1) {
    vpc.subnets[`subnet-${index + 1}`] = {
      cidr: `10.0.${index + 1}.0/24`,
      az: picked(ZONES, index),
    };
  }
});

const internetGateway: Feature = rarely(6).map((isMissing) => ({ vpc }) => {
  if (!isMissing) vpc.internetGateway = 'igw';
});

const natGateways: Feature = fc
  .array(fc.record({ subnet: pick, deleted: rarely(5), isPrivate: rarely(5) }), { maxLength: 2 })
  .map((all) => ({ vpc }) => {
    all.forEach(({ subnet, deleted, isPrivate }, index) => {
      vpc.natGateways[`nat-${index + 1}`] = {
        subnet: picked(Object.keys(vpc.subnets), subnet),
        ...(isPrivate ? { connectivity: 'private' } : { elasticIp: `203.0.113.${50 + index}` }),
        ...(deleted ? { deleted } : {}),
      };
    });
  });

const PORTS = [80, 8080, 5432];

const instances: Feature = fc
  .array(
    fc.record({
      subnet: pick,
      isPublic: fc.boolean(),
      ports: fc.subarray(PORTS),
      forwards: rarely(4),
      hasSecondary: rarely(5),
      hasSecondCard: rarely(5),
      second: pick,
    }),
    { minLength: 2, maxLength: 5 },
  )
  .map((all) => ({ vpc }) => {
    all.forEach((one, index) => {
      const subnet = picked(Object.keys(vpc.subnets), one.subnet);
      // A further ENI is of the same zone.
      const near = Object.keys(vpc.subnets).filter(
        (name) => vpc.subnets[name]?.az === vpc.subnets[subnet]?.az,
      );
      const second = picked(near, one.second);
      const host = 10 + index;
      const addressIn = (name: string, last: number): string =>
        (vpc.subnets[name]?.cidr ?? '').replace(/\.0\/\d+$/, `.${last}`);
      vpc.instances[`i-${index + 1}`] = {
        subnet,
        address: addressIn(subnet, host),
        ports: one.ports,
        ...(one.isPublic ? { elasticIp: `203.0.113.${host}` } : {}),
        ...(one.forwards ? { sourceDestCheck: false } : {}),
        ...(one.hasSecondary ? { secondaryAddresses: [addressIn(subnet, 100 + host)] } : {}),
        ...(one.hasSecondCard
          ? {
              interfaces: [
                {
                  subnet: second,
                  address: addressIn(second, 200 + index),
                  ...(one.forwards ? { sourceDestCheck: false } : {}),
                },
              ],
            }
          : {}),
      };
    });
  });

const BLOCKS_WITHOUT_SNAT = ['198.51.100.0/24', '203.0.113.0/24'];

const cluster: Feature = fc
  .record({
    nodes: fc.array(fc.record({ subnet: pick, isPublic: rarely(3) }), { maxLength: 2 }),
    externalSnat: fc.boolean(),
    hasNoNodePortSupport: rarely(4),
    excluded: fc.subarray(BLOCKS_WITHOUT_SNAT),
    pods: fc.array(
      fc.record({
        node: pick,
        onSecondEni: rarely(3),
        ports: fc.subarray(PORTS),
        speaksUdp: fc.boolean(),
        hostNetwork: rarely(5),
        fails: rarely(6),
        isUnready: rarely(6),
        isGoing: rarely(6),
        app: pick,
      }),
      { maxLength: 3 },
    ),
  })
  .map((drawn) => ({ vpc, cluster: { nodes, pins, cni }, pods }) => {
    drawn.nodes.forEach(({ subnet, isPublic }, index) => {
      nodes[`node-${index + 1}`] = {
        subnet: picked(Object.keys(vpc.subnets), subnet),
        ...(isPublic ? { elasticIp: `203.0.113.${30 + index}` } : {}),
      };
    });
    if (drawn.nodes.length === 0) return;
    cni['AWS_VPC_K8S_CNI_EXTERNALSNAT'] = String(drawn.externalSnat);
    cni['AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS'] = drawn.excluded.join(',');
    if (drawn.hasNoNodePortSupport) cni['AWS_VPC_CNI_NODE_PORT_SUPPORT'] = 'false';
    drawn.pods.forEach((one, index) => {
      const name = `pod-${index + 1}`;
      // Two on the network of one node must not listen on one port.
      const shift = one.hostNetwork ? 20_000 + 100 * index : 0;
      const ports = one.ports.map((port) => ({ name: `p-${port}`, containerPort: port + shift }));
      const udp = { name: 'p-53', containerPort: 53 + shift, protocol: 'UDP' };
      pins[`pod/${name}`] = {
        node: picked(Object.keys(nodes), one.node),
        ...(one.onSecondEni && !one.hostNetwork ? { eni: 'eth1' } : {}),
      };
      pods.push({
        name,
        ports: one.speaksUdp ? [...ports, udp] : ports,
        app: picked(APPS, one.app),
        annotations: {
          ...(one.fails ? { 'hoplab.io/fails': 'true' } : {}),
          ...(one.isUnready ? { 'hoplab.io/ready': 'false' } : {}),
          ...(one.isGoing ? { 'hoplab.io/terminating': 'true' } : {}),
        },
        hostNetwork: one.hostNetwork,
      });
    });
  });

const APPS = ['a', 'b'];

/** Of some pods or of none, by their ports' names; each kind of door, each policy. */
const services: Feature = fc
  .record({
    hasNoProxy: rarely(8),
    services: fc.array(
      fc.record({
        app: pick,
        ports: fc.uniqueArray(fc.constantFrom(...PORTS, 53), { minLength: 1, maxLength: 2 }),
        type: fc.constantFrom('ClusterIP', 'ClusterIP', 'NodePort', 'LoadBalancer'),
        isLocalOutside: rarely(3),
        isLocalInside: rarely(5),
        hasAffinity: rarely(5),
        hasExternalIp: rarely(6),
        isNear: rarely(5),
      }),
      { maxLength: 3 },
    ),
  })
  .map((drawn) => (draft) => {
    if (Object.keys(draft.cluster.nodes).length === 0) return;
    // Nobody asks by name here.
    draft.cluster['addons'] = {
      coredns: false,
      ...(drawn.hasNoProxy ? { 'kube-proxy': false } : {}),
    };
    drawn.services.forEach((one, index) => {
      const isOuter = one.type !== 'ClusterIP' || one.hasExternalIp;
      draft.services.push({
        name: `s-${index + 1}`,
        spec: {
          selector: { app: picked([...APPS, 'nobody'], one.app) },
          type: one.type,
          // Its node ports are there. A load balancer would need subnets that not every lab has.
          ...(one.type === 'LoadBalancer' ? { loadBalancerClass: 'example.com/none' } : {}),
          ports: one.ports.map((port) => ({
            name: `p-${port}`,
            port,
            targetPort: `p-${port}`,
            ...(port === 53 ? { protocol: 'UDP' } : {}),
          })),
          ...(isOuter && one.isLocalOutside ? { externalTrafficPolicy: 'Local' } : {}),
          ...(one.isLocalInside ? { internalTrafficPolicy: 'Local' } : {}),
          ...(one.hasAffinity ? { sessionAffinity: 'ClientIP' } : {}),
          ...(one.hasExternalIp ? { externalIPs: [`203.0.113.${70 + index}`] } : {}),
          ...(one.isNear ? { trafficDistribution: 'PreferClose' } : {}),
        },
      });
    });
  });

const policyRule = fc.record({
  peers: fc.array(pick, { maxLength: 2 }),
  ports: fc.array(pick, { maxLength: 2 }),
});
type DrawnPolicyRule = Readonly<Record<'peers' | 'ports', readonly number[]>>;
const policyRules = fc.option(fc.array(policyRule, { maxLength: 2 }), { nil: undefined });

/** By number and by name, of either protocol, some that nobody has. */
const POLICY_PORTS: readonly More[] = [
  { port: 80 },
  { port: 'p-8080' },
  { port: 53, protocol: 'UDP' },
  { port: 'p-53', protocol: 'UDP' },
  { port: 80, endPort: 8080 },
  { protocol: 'UDP' },
  { port: 'p-53' },
];

/** Of all pods or some, in each direction or in none; with peers of each kind, blocks of the VPC and of the internet. */
const networkPolicies: Feature = fc
  .array(fc.record({ selects: pick, types: pick, ingress: policyRules, egress: policyRules }), {
    maxLength: 3,
  })
  .map((all) => (draft) => {
    if (Object.keys(draft.cluster.nodes).length === 0) return;
    const selectors = [{}, ...APPS.map((app) => ({ matchLabels: { app } }))];
    const own = Object.values(draft.vpc.subnets).map(({ cidr }) => cidr);
    const peers: readonly More[] = [
      { namespaceSelector: {} },
      { ipBlock: { cidr: '0.0.0.0/0', except: ['198.51.100.128/25'] } },
      { ipBlock: { cidr: '10.0.0.0/16', except: own.slice(0, 1) } },
      ...own.map((cidr) => ({ ipBlock: { cidr } })),
      ...selectors.map((podSelector) => ({ podSelector })),
    ];
    const TYPES = [[], ['Ingress'], ['Egress'], ['Ingress', 'Egress']];
    const rule = (drawn: DrawnPolicyRule, key: 'from' | 'to'): More => ({
      ...(drawn.peers.length === 0
        ? {}
        : { [key]: drawn.peers.map((number) => picked(peers, number)) }),
      ports: drawn.ports.map((number) => picked(POLICY_PORTS, number)),
    });
    all.forEach(({ selects, types, ingress, egress }, index) => {
      draft.policies.push({
        name: `policy-${index + 1}`,
        spec: {
          podSelector: picked(selectors, selects),
          policyTypes: picked(TYPES, types),
          ...(ingress === undefined ? {} : { ingress: ingress.map((one) => rule(one, 'from')) }),
          ...(egress === undefined ? {} : { egress: egress.map((one) => rule(one, 'to')) }),
        },
      });
    });
  });

const internetHosts: Feature = fc
  .array(fc.subarray([80, 443]), { minLength: 1, maxLength: 2 })
  .map((all) => ({ internet }) => {
    // In two blocks, so that a route may lead to one alone.
    all.forEach((ports, index) => {
      internet[`host-${index + 1}`] = { address: `198.51.100.${10 + 128 * index}`, ports };
    });
  });

/** Services that select nothing: of instances and of hosts on the internet, by addresses that somebody wrote down. */
const outerServices: Feature = fc
  .array(
    fc.record({
      endpoints: fc.array(pick, { minLength: 1, maxLength: 2 }),
      port: fc.constantFrom(80, 443, 5432),
      hasNodePort: rarely(3),
      isLocalOutside: rarely(3),
    }),
    { maxLength: 2 },
  )
  .map((all) => (draft) => {
    if (Object.keys(draft.cluster.nodes).length === 0) return;
    const addresses = [
      ...Object.values(draft.vpc.instances).map(({ address }) => String(address)),
      ...Object.values(draft.internet).map(({ address }) => address),
    ];
    all.forEach((one, index) => {
      const name = `outer-${index + 1}`;
      draft.services.push({
        name,
        spec: {
          ...(one.hasNodePort ? { type: 'NodePort' } : {}),
          ...(one.hasNodePort && one.isLocalOutside ? { externalTrafficPolicy: 'Local' } : {}),
          ports: [{ port: one.port }],
        },
      });
      const picks = one.endpoints.map((number) => picked(addresses, number));
      draft.slices.push({ service: name, ports: [one.port], addresses: [...new Set(picks)] });
    });
  });

/** 0.0.0.0/0 first, then parts of the internet, then the subnets, which are more specific than `local`. */
const routeTables: Feature = fc
  .record({
    tables: fc.array(
      fc.record({
        hasMain: fc.boolean(),
        routes: fc.array(fc.record({ destination: pick, target: pick }), { maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    associations: fc.array(pick, { minLength: 4, maxLength: 4 }),
  })
  .map(({ tables, associations }) => ({ vpc }) => {
    const own = Object.values(vpc.subnets).map(({ cidr }) => cidr);
    const outside = ['0.0.0.0/0', '0.0.0.0/0', '198.51.100.0/25', '198.51.100.128/25'];
    const gateways = vpc.internetGateway === undefined ? [] : [vpc.internetGateway];
    const cards = [
      ...Object.keys(vpc.natGateways).map((name) => `nat/${name}`),
      ...Object.keys(vpc.instances).map((name) => `instance/${name}`),
    ];
    tables.forEach(({ hasMain, routes }, index) => {
      const written: RouteDraft[] = [];
      for (const { destination: number, target } of routes) {
        const destination = picked([...outside, ...own], number);
        if (written.some((one) => one.destination === destination)) continue;
        const targets = own.includes(destination)
          ? cards
          : [...gateways, ...gateways, ...cards, 'blackhole'];
        if (targets.length > 0) written.push({ destination, target: picked(targets, target) });
      }
      const isMain = hasMain && Object.values(vpc.routeTables).every(({ main }) => main !== true);
      vpc.routeTables[`table-${index + 1}`] = {
        ...(isMain ? { main: true } : {}),
        routes: written,
      };
    });
    const names = Object.keys(vpc.routeTables);
    Object.values(vpc.subnets).forEach((subnet, index) => {
      // Of those there is one more than tables: a subnet may be left to the main one.
      const name = picked([...names, ''], associations[index] ?? 0);
      if (name !== '') subnet.routeTable = name;
    });
  });

/** What a rule of a group or of a network ACL may be about: the keys beside its peer. */
const PERMISSIONS: readonly More[] = [
  {},
  { protocol: 'tcp' },
  { protocol: 'icmp' },
  { ports: 80 },
  { ports: '5000-9000' },
  { ports: '1024-65535' },
  // In the middle of the ports that an answer may come to.
  { ports: '1024-45000' },
  { protocol: 'udp', ports: '45000-65535' },
  { protocol: 'udp', ports: 53 },
  { protocol: 'udp' },
  { protocol: 'icmp', icmpType: 8 },
  { protocol: 'icmp', icmpType: 0 },
];

/** From all to a few: the blocks that a rule may be about. */
function blocks({ vpc }: Draft): string[] {
  const own = Object.values(vpc.subnets).map(({ cidr }) => cidr);
  return ['0.0.0.0/0', '10.0.0.0/16', ...own, '198.51.100.0/24', '10.0.1.10/32'];
}

const drawnRule = fc.record({ permission: pick, peer: pick });
type DrawnRule = Readonly<Record<'permission' | 'peer', number>>;
const drawnRules = fc.array(drawnRule, { maxLength: 3 });

const OPEN = { ingress: [{ from: '0.0.0.0/0' }] };

/** Some groups, and who carries which; the groups that everybody carries who names none are mostly open. */
const securityGroups: Feature = fc
  .record({
    groups: fc.array(
      fc.record({ ingress: drawnRules, egress: fc.option(drawnRules, { nil: undefined }) }),
      { maxLength: 3 },
    ),
    isDefaultClosed: rarely(4),
    isClusterClosed: rarely(4),
    prefixList: fc.array(pick, { minLength: 1, maxLength: 3 }),
    members: fc.array(fc.subarray([0, 1, 2]), { minLength: 9, maxLength: 9 }),
  })
  .map((drawn) => (draft) => {
    const { vpc, cluster: ofCluster } = draft;
    const names = drawn.groups.map((_, index) => `group-${index + 1}`);
    const peers = [...blocks(draft), ...names.map((name) => `sg/${name}`), 'sg/default', 'self'];
    const permission = ({ permission: number }: DrawnRule): More => picked(PERMISSIONS, number);
    const all: Record<string, More> = {};
    drawn.groups.forEach(({ ingress, egress }, index) => {
      const peer = (rule: DrawnRule): string => picked([...peers, 'pl/list'], rule.peer);
      all[names[index] ?? ''] = {
        ingress: ingress.map((rule) => ({ ...permission(rule), from: peer(rule) })),
        ...(egress === undefined
          ? {}
          : { egress: egress.map((rule) => ({ ...permission(rule), to: peer(rule) })) }),
      };
    });
    if (!drawn.isDefaultClosed) all['default'] = OPEN;
    const nodes = Object.values(ofCluster.nodes);
    if (!drawn.isClusterClosed && nodes.length > 0) all['eks-cluster-sg'] = OPEN;
    vpc.securityGroups = all;
    if (names.length > 0) {
      const list = drawn.prefixList.map((number) => picked(blocks(draft).slice(1), number));
      vpc['prefixLists'] = { list: [...new Set(list)] };
    }
    const cards = Object.values(vpc.instances).flatMap((one) => [
      one,
      ...((one['interfaces'] as More[] | undefined) ?? []),
    ]);
    [...cards, ...nodes].forEach((owner, index) => {
      const groups = picked(drawn.members, index).flatMap((number) => names[number] ?? []);
      if (groups.length > 0) owner['securityGroups'] = groups;
    });
  });

/** A few numbered rules before one that lets the rest pass, or nothing behind them; some subnets have none. */
const networkAcls: Feature = fc
  .record({
    acls: fc.array(
      fc.record({
        ingress: fc.array(fc.tuple(fc.boolean(), drawnRule), { maxLength: 3 }),
        egress: fc.array(fc.tuple(fc.boolean(), drawnRule), { maxLength: 3 }),
        endsOpenIn: rarely(3).map((isClosed) => !isClosed),
        endsOpenOut: rarely(3).map((isClosed) => !isClosed),
      }),
      { maxLength: 2 },
    ),
    associations: fc.array(pick, { minLength: 4, maxLength: 4 }),
  })
  .map(({ acls, associations }) => (draft) => {
    const { vpc } = draft;
    if (acls.length === 0) return;
    const list = (
      rules: readonly (readonly [boolean, DrawnRule])[],
      key: 'from' | 'to',
      endsOpen: boolean,
    ): More => {
      const written = rules.map(([allows, { permission, peer }], index): [string, unknown] => [
        String(100 + 10 * index),
        {
          action: allows ? 'allow' : 'deny',
          ...picked(PERMISSIONS, permission),
          [key]: picked(blocks(draft), peer),
        },
      ]);
      return Object.fromEntries<unknown>([
        ...written,
        ...(endsOpen ? [['900', { action: 'allow' }] as const] : []),
      ]);
    };
    const names = acls.map((_, index) => `acl-${index + 1}`);
    vpc['networkAcls'] = Object.fromEntries(
      acls.map(({ ingress, egress, endsOpenIn, endsOpenOut }, index) => [
        names[index],
        { ingress: list(ingress, 'from', endsOpenIn), egress: list(egress, 'to', endsOpenOut) },
      ]),
    );
    Object.values(vpc.subnets).forEach((subnet, index) => {
      const name = picked(['', ...names], associations[index] ?? 0);
      if (name !== '') subnet['networkAcl'] = name;
    });
  });

/** Both enforcing modes; of all pods or some, which may be on their node's network; with groups that are open and others. */
const securityGroupPolicies: Feature = fc
  .record({
    isOn: fc.boolean(),
    isStandard: fc.boolean(),
    hasNoEarlyDemux: rarely(3),
    policies: fc.array(
      fc.record({ selects: pick, groups: fc.array(pick, { minLength: 1, maxLength: 2 }) }),
      { minLength: 1, maxLength: 2 },
    ),
  })
  .map((drawn) => ({ vpc, cluster: { nodes, cni, pins }, groupPolicies }) => {
    if (!drawn.isOn || Object.keys(nodes).length === 0) return;
    cni['ENABLE_POD_ENI'] = 'true';
    cni['POD_SECURITY_GROUP_ENFORCING_MODE'] = drawn.isStandard ? 'standard' : 'strict';
    cni['DISABLE_TCP_EARLY_DEMUX'] = String(drawn.hasNoEarlyDemux);
    // The trunk is eth1, and bears nobody's address.
    for (const pin of Object.values(pins)) if (pin['eni'] === 'eth1') pin['eni'] = 'eth2';
    const groups = new Set(['eks-cluster-sg', 'default', ...Object.keys(vpc.securityGroups)]);
    const selectors = [...APPS.map((app) => ({ matchLabels: { app } })), {}];
    drawn.policies.forEach((one, index) => {
      groupPolicies.push({
        name: `groups-${index + 1}`,
        spec: {
          podSelector: picked(selectors, one.selects),
          securityGroups: { groupIds: one.groups.map((number) => picked([...groups], number)) },
        },
      });
    });
  });

/** In this order: each may refer to what those before it brought. */
const FEATURES: readonly Feature[] = [
  subnets,
  internetGateway,
  natGateways,
  instances,
  cluster,
  services,
  internetHosts,
  outerServices,
  networkPolicies,
  routeTables,
  securityGroups,
  networkAcls,
  securityGroupPolicies,
];

export const randomLab: fc.Arbitrary<RandomLab> = fc.tuple(...FEATURES).map((edits) => {
  const draft: Draft = {
    vpc: {
      cidr: '10.0.0.0/16',
      subnets: {},
      natGateways: {},
      routeTables: {},
      instances: {},
      securityGroups: {},
    },
    cluster: { vpc: 'main', cni: {}, nodes: {}, pins: {} },
    internet: {},
    pods: [],
    services: [],
    slices: [],
    policies: [],
    groupPolicies: [],
  };
  for (const edit of edits) edit(draft);
  return write(draft);
});

function isEmpty(part: unknown): boolean {
  return typeof part === 'object' && part !== null && Object.keys(part).length === 0;
}

function write({
  vpc,
  cluster: { nodes, ...cluster },
  internet,
  pods,
  services: all,
  slices,
  policies,
  groupPolicies,
}: Draft): RandomLab {
  const hasNodes = Object.keys(nodes).length > 0;
  const lab = {
    // Shorter to read without what there is none of.
    vpcs: { main: Object.fromEntries(Object.entries(vpc).filter(([, part]) => !isEmpty(part))) },
    ...(hasNodes ? { cluster: { ...cluster, nodes } } : {}),
    internet,
  };
  const manifests = [
    ...pods.map(({ name, app, ports, annotations, hostNetwork }) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { app }, annotations },
      spec: { hostNetwork, containers: [{ name: 'main', image: 'none', ports }] },
    })),
    ...all.map(({ name, spec }) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec,
    })),
    ...slices.map(({ service, ports, addresses }) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: service, labels: { 'kubernetes.io/service-name': service } },
      addressType: 'IPv4',
      ports: ports.map((port) => ({ name: '', port })),
      endpoints: addresses.map((address) => ({ addresses: [address] })),
    })),
    ...policies.map(({ name, spec }) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name },
      spec,
    })),
    ...groupPolicies.map(({ name, spec }) => ({
      apiVersion: 'vpcresources.k8s.aws/v1beta1',
      kind: 'SecurityGroupPolicy',
      metadata: { name },
      spec,
    })),
  ];
  return {
    lab: stringify(lab),
    manifests: manifests.map((one) => stringify(one)).join('---\n'),
  };
}
