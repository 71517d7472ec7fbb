/** One thing of a lab: what it has, where it stands, and commands that look inside. */

import type { DbInstance } from '../aws/db-instance.ts';
import { INTERNET_MTU_BYTES } from '../aws/internet-gateway.ts';
import type { NetworkInterface } from '../aws/network-interface.ts';
import { addressMappings, type Cloud, findDatabase, type Thing } from '../cloud.ts';
import { routeTableId } from '../eks/vpc-cni.ts';
import { podReference } from '../k8s/pod.ts';
import { renderSections, rowsAsJson, type Section } from './section.ts';
import { count, PLAIN, type Style } from './style.ts';
import { type Cell, facts } from './table.ts';

export interface ThingDescription {
  readonly thing: string;
  readonly facts: readonly (readonly [name: string, value: Cell | undefined])[];
  /** Of what has none by its nature it is not even said that it has none. */
  readonly interfaces?: readonly NetworkInterface[];
  readonly sections?: readonly Section[];
  /** What follows the thing's name in `hoplab exec`. */
  readonly lookInside: readonly (readonly [thing: string, command: string])[];
}

export function renderThing(description: ThingDescription, style: Style = PLAIN): string {
  const { thing, interfaces = [], sections = [], lookInside } = description;
  const parts = [`${style.bold(thing)}\n${facts(description.facts, style)}`];
  for (const eni of interfaces) {
    parts.push(`${style.bold(eni.link)} ${eni.id}\n${facts(eniFacts(eni), style)}`);
  }
  parts.push(...renderSections(sections, style));
  const lines = lookInside.map((one) => `  ${renderCommand(one)}`);
  if (lines.length > 0) parts.push([style.bold('look inside'), ...lines].join('\n'));
  return parts.join('\n\n');
}

export function thingAsJson(description: ThingDescription): unknown {
  const { thing, interfaces, sections = [], lookInside } = description;
  const cards = interfaces?.map((eni) => ({
    link: eni.link,
    id: eni.id,
    ...Object.fromEntries(eniFacts(eni).filter(([, value]) => value !== undefined)),
  }));
  return {
    thing,
    ...Object.fromEntries(description.facts.filter(([, value]) => value !== undefined)),
    ...(cards === undefined ? {} : { interfaces: cards }),
    ...Object.fromEntries(sections.map((one) => [one.title, rowsAsJson(one)])),
    lookInside: lookInside.map(renderCommand),
  };
}

function renderCommand([where, command]: ThingDescription['lookInside'][number]): string {
  return `npx hoplab exec ${where} -- ${command}`;
}

function eniFacts(eni: NetworkInterface): (readonly [string, string | undefined])[] {
  const [primary, ...secondary] = eni.addresses;
  return [
    ['address', primary.address],
    ['elastic ip', primary.elastic],
    ['secondary', secondary.map(({ address }) => address).join(', ') || undefined],
    ['mac', eni.mac],
    ['subnet', `${eni.subnet.name} (${eni.subnet.cidr}, ${eni.subnet.az})`],
    ['route table', eni.subnet.routeTable],
    ['source/destination check', eni.sourceDestCheck ? undefined : 'off'],
    ['security groups', eni.securityGroups?.join(', ')],
  ];
}

export function describeThing(cloud: Cloud, thing: Thing): ThingDescription {
  const { reference, netns } = thing;
  const inside = (...commands: string[]) => commands.map((line) => [reference, line] as const);
  const vpcs = [...cloud.vpcs.values()];
  switch (thing.kind) {
    case 'pod':
      return describePod(cloud, thing);
    case 'node': {
      const node = [...(cloud.cluster?.nodes.values() ?? [])].find((one) => one.netns === netns);
      const second =
        node?.interfaces[1] === undefined ? [] : [`ip route show table ${routeTableId(1)}`];
      return {
        thing: reference,
        facts: [
          ['netns', netns],
          ['instance type', node?.instanceType],
          [
            'pods',
            node?.pods.map((pod) => podReference(pod.spec.namespace, pod.spec.name)).join(', '),
          ],
        ],
        interfaces: node?.interfaces ?? [],
        lookInside: inside('ip rule', 'ip route', ...second, 'iptables -t nat -S'),
      };
    }
    case 'instance': {
      const instance = vpcs
        .flatMap((vpc) => [...vpc.instances.values()])
        .find((one) => one.netns === netns);
      return {
        thing: reference,
        facts: [
          ['netns', netns],
          ['ports', instance?.ports.join(', ')],
        ],
        interfaces: instance?.interfaces ?? [],
        lookInside: inside('ip address', 'ip route', 'ss -ltn'),
      };
    }
    case 'eks': {
      const plane = cloud.cluster?.controlPlane;
      const server = plane?.servers.find((one) => one.netns === netns);
      return {
        thing: reference,
        facts: [
          ['netns', netns],
          ['ports', server?.ports.join(', ')],
          ['endpoint', plane === undefined ? undefined : `https://${plane.endpoint}`],
        ],
        interfaces: server?.interfaces ?? [],
        lookInside: inside('ip address', 'ss -ltn', 'openssl s_client -connect localhost:443'),
      };
    }
    case 'alb': {
      const balancer = cloud.loadBalancers.find(({ nodes }) =>
        nodes.some((one) => one.netns === netns),
      );
      const node = balancer?.nodes.find((one) => one.netns === netns);
      return {
        thing: reference,
        facts: [
          ['netns', netns],
          ['zone', node?.az],
          ['scheme', balancer?.scheme],
          ['name', balancer?.dnsName],
          ['ports', balancer?.listeners.map(({ port }) => port).join(', ')],
        ],
        interfaces: node === undefined ? [] : [node.eni],
        lookInside: inside('ss -tn', 'tcpdump -ni eth0 tcp'),
      };
    }
    case 'nlb': {
      const balancer = cloud.networkLoadBalancers.find(({ nodes }) =>
        nodes.some((one) => one.netns === netns),
      );
      const node = balancer?.nodes.find((one) => one.netns === netns);
      return {
        thing: reference,
        facts: [
          ['netns', netns],
          ['zone', node?.az],
          ['scheme', balancer?.scheme],
          ['name', balancer?.dnsName],
          ['service', balancer?.service],
          ['cross-zone', balancer?.crossZone === true ? 'on' : 'off'],
          ['idle timeout', balancer === undefined ? undefined : `${balancer.idleTimeoutSeconds} s`],
          [
            'listeners',
            balancer?.listeners.map(({ protocol, port }) => `${protocol}/${port}`).join(', '),
          ],
        ],
        interfaces: node === undefined ? [] : [node.eni],
        lookInside: inside('nft list table ip nlb', 'conntrack -L', 'tcpdump -ni eth0'),
      };
    }
    case 'rds': {
      const { database, server } = findDatabase(cloud, netns) ?? {};
      const isStandby = server !== undefined && server === database?.standby;
      const sign = `psql -h ${database?.endpoint ?? ''} -p ${database?.port ?? ''} -U ${database?.masterUsername ?? ''} ${database?.databaseName ?? ''}`;
      return {
        thing: reference,
        facts: [
          ['netns', netns],
          ['role', isStandby ? 'standby: it takes no connections' : 'primary'],
          ['zone', server?.az],
          ['endpoint', database?.endpoint],
          ['port', database?.port],
          ['database', database?.databaseName],
          ['user', database && `${database.masterUsername}, ${database.masterUserPassword}`],
          ['subnet group', database?.subnetGroup],
          ['multi-az', database && otherServer(database, isStandby)],
          ['by psql', sign],
        ],
        interfaces: server === undefined ? [] : [server.eni],
        lookInside: inside('ss -tn', `tail /run/hoplab/${netns}.log`, 'tcpdump -ni eth0 tcp'),
      };
    }
    case 'nat': {
      const nat = vpcs
        .flatMap((vpc) => [...vpc.natGateways.values()])
        .find((one) => one.netns === netns);
      return {
        thing: reference,
        facts: [
          ['netns', netns],
          ['idle timeout', nat === undefined ? undefined : `${nat.idleTimeoutSeconds} s`],
          [
            'limit',
            nat === undefined
              ? undefined
              : `${nat.connectionsPerDestination} connections to a destination`,
          ],
        ],
        interfaces: nat === undefined ? [] : [nat.eni],
        lookInside: inside('nft list table ip nat-gateway', 'conntrack -L', 'ip route'),
      };
    }
    case 'igw': {
      const vpc = vpcs.find((one) => one.internetGateway?.netns === netns);
      const igw = vpc?.internetGateway;
      const mappings = vpc === undefined || igw === undefined ? [] : addressMappings(vpc);
      return {
        thing: reference,
        facts: [
          ['netns', netns],
          ['vpc', vpc?.name],
          ['mtu', INTERNET_MTU_BYTES],
          ...mappings.map((one) => [one.public, `${one.private} (${one.thing})`] as const),
        ],
        interfaces: [],
        lookInside: inside('iptables -t nat -S', 'iptables -S FORWARD', 'conntrack -L'),
      };
    }
    case 'vpc': {
      const vpc = vpcs.find((one) => one.netns === netns);
      return {
        thing: reference,
        facts: [
          ['netns', netns],
          ['blocks', vpc?.cidrs.join(', ')],
          ['main route table', vpc?.mainRouteTable],
          ...[...(vpc?.subnets.values() ?? [])].map(
            (subnet) =>
              [
                `subnet ${subnet.name}`,
                `${subnet.cidr}, ${subnet.az}, route table ${subnet.routeTable}, bridge ${subnet.bridge}, router ${subnet.router}`,
              ] as const,
          ),
          ['interfaces', vpc === undefined ? undefined : count(vpc.interfaces.length, 'ENI')],
        ],
        interfaces: [],
        lookInside: inside('ip rule', 'ip route show table all', 'nft list ruleset', 'bridge link'),
      };
    }
    case 'internet': {
      const host = cloud.internetHosts.find((one) => one.netns === netns);
      return {
        thing: reference,
        facts: [
          ['netns', netns],
          ['address', host?.address],
          ['ports', host?.ports.join(', ')],
        ],
        interfaces: [],
        lookInside: inside('ip address', 'ip route', 'ss -ltn'),
      };
    }
  }
}

function otherServer({ primary, standby }: DbInstance, isStandby: boolean): string {
  if (standby === undefined) return 'no';
  const { az, eni } = isStandby ? primary : standby;
  return `${isStandby ? 'the primary' : 'its standby'} is in ${az}: ${eni.addresses[0].address}`;
}

function describePod(cloud: Cloud, { reference, netns }: Thing): ThingDescription {
  const pod = cloud.pods.find(
    (one) => podReference(one.spec.namespace, one.spec.name) === reference,
  );
  const eni = pod?.eni?.interface;
  const node = pod === undefined ? undefined : `node/${pod.node}`;
  const ports = pod?.spec.ports.map(
    ({ containerPort, protocol, http }) => `${containerPort}/${http ? 'http' : protocol}`,
  );
  const onNode =
    node === undefined || pod?.hostVeth === undefined
      ? []
      : ([
          [node, `ip route show dev ${pod.hostVeth}`],
          [node, 'ip rule'],
        ] as const);
  return {
    thing: reference,
    facts: [
      ['netns', netns],
      ['address', pod?.address],
      ['node', node],
      ['ports', ports?.join(', ')],
      ['node side', pod?.hostVeth],
      ['eni', eni === undefined ? 'none of its own: hostNetwork' : `${eni.link} ${eni.id}`],
      ['subnet', eni && `${eni.subnet.name} (${eni.subnet.cidr}, ${eni.subnet.az})`],
      ['route table', eni?.subnet.routeTable],
      ['owner', pod?.spec.owner && `${pod.spec.owner.kind} ${pod.spec.owner.name}`],
    ],
    interfaces: [],
    lookInside: [[reference, 'ip route'], [reference, 'ip neigh'], ...onNode],
  };
}
