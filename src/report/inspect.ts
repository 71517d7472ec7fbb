/** A whole lab in tables: what stands in its VPCs, who runs where, and by which address each is reached. */

import { renderReference } from '../base/reference.ts';
import { serversOf } from '../aws/db-instance.ts';
import type { NetworkInterface } from '../aws/network-interface.ts';
import { renderTarget } from '../aws/route-table.ts';
import type { Vpc } from '../aws/vpc.ts';
import { addressMappings, type Cloud } from '../cloud.ts';
import { podReference } from '../k8s/pod.ts';
import { balancerSections } from './balancer-sections.ts';
import { gateSections } from './gate-sections.ts';
import { zoneSections } from './hosted-zone.ts';
import { policySections } from './network-policy.ts';
import { renderSections, rowsAsJson, type Section } from './section.ts';
import { serviceSections } from './service.ts';
import { PLAIN, type Style } from './style.ts';

export function renderLab(cloud: Cloud, style: Style = PLAIN): string {
  return renderSections(labSections(cloud), style).join('\n\n');
}

/** The same as plain data. */
export function labAsJson(cloud: Cloud): unknown {
  return {
    lab: cloud.name,
    sections: labSections(cloud).map((section) => ({
      title: section.title,
      rows: rowsAsJson(section),
    })),
  };
}

function labSections(cloud: Cloud): Section[] {
  return [
    ...[...cloud.vpcs.values()].flatMap((vpc) => [
      ...vpcSections(vpc),
      ...gateSections(cloud, vpc),
    ]),
    ...clusterSections(cloud),
    ...policySections(cloud),
    ...serviceSections(cloud),
    ...balancerSections(cloud),
    ...zoneSections(cloud),
  ];
}

function vpcSections(vpc: Vpc): Section[] {
  const igw = vpc.internetGateway;
  const nats = [...vpc.natGateways.values()].map((nat) => {
    const [{ address, elastic }] = nat.eni.addresses;
    return [`nat/${nat.name}`, address, elastic ?? '', nat.eni.subnet.name, nat.netns];
  });
  const gateway =
    igw === undefined ? [] : [[renderReference('igw', igw.name), '', '', '', igw.netns]];
  return [
    {
      title: `vpc/${vpc.name} ${vpc.cidrs.join(', ')}`,
      headers: ['SUBNET', 'CIDR', 'AZ', 'ROUTE TABLE', 'ROUTER'],
      rows: [...vpc.subnets.values()].map((subnet) => [
        subnet.name,
        subnet.cidr,
        subnet.az,
        subnet.routeTable,
        subnet.router,
      ]),
    },
    {
      title: 'route tables',
      headers: ['TABLE', 'DESTINATION', 'TARGET'],
      rows: [...vpc.routeTables.values()].flatMap((routes) => [
        ...vpc.cidrs.map((block) => [routes.name, block, 'local']),
        ...routes.routes.map(({ destination, target }) => [
          routes.name,
          destination,
          renderTarget(target),
        ]),
      ]),
    },
    {
      title: 'gateways',
      headers: ['GATEWAY', 'ADDRESS', 'ELASTIC IP', 'SUBNET', 'NETNS'],
      rows: [...gateway, ...nats],
    },
    {
      title: 'public addresses',
      headers: ['PUBLIC', 'PRIVATE', 'THING'],
      rows:
        igw === undefined
          ? []
          : addressMappings(vpc).map((one) => [one.public, one.private, one.thing]),
    },
    {
      title: 'instances',
      headers: ['INSTANCE', 'ADDRESS', 'ENIS', 'NETNS'],
      rows: [...vpc.instances.values()].map((instance) => [
        `instance/${instance.name}`,
        instance.interfaces[0].addresses[0].address,
        instance.interfaces.map(shortEni).join(', '),
        instance.netns,
      ]),
    },
    {
      title: 'databases',
      headers: ['DATABASE', 'ADDRESS', 'PORT', 'AZ', 'SUBNET', 'ENDPOINT', 'NETNS'],
      rows: [...vpc.databases.values()].flatMap((database) =>
        serversOf(database).map((server) => [
          server.eni.thing,
          server.eni.addresses[0].address,
          server === database.primary ? database.port : '',
          server.az,
          server.eni.subnet.name,
          server === database.primary ? database.endpoint : '',
          server.netns,
        ]),
      ),
    },
  ];
}

function clusterSections(cloud: Cloud): Section[] {
  const plane = cloud.cluster?.controlPlane;
  return [
    {
      title: `control plane${plane === undefined ? '' : ` https://${plane.endpoint}`}`,
      headers: ['API SERVER', 'ADDRESS', 'SUBNET', 'AZ', 'NETNS'],
      rows: (plane?.servers ?? []).map(({ name, netns, interfaces: [eni] }) => [
        `eks/${name}`,
        eni.addresses[0].address,
        eni.subnet.name,
        eni.subnet.az,
        netns,
      ]),
    },
    {
      title: 'nodes',
      headers: ['NODE', 'ADDRESS', 'TYPE', 'AZ', 'ENIS', 'PODS'],
      rows: [...(cloud.cluster?.nodes.values() ?? [])].map((node) => [
        `node/${node.name}`,
        node.interfaces[0].addresses[0].address,
        node.instanceType,
        node.interfaces[0].subnet.az,
        node.interfaces.map(shortEni).join(', '),
        node.pods.length,
      ]),
    },
    {
      title: 'pods',
      headers: ['POD', 'ADDRESS', 'NODE', 'ENI', 'NODE SIDE', 'NETNS'],
      rows: cloud.pods.map((pod) => [
        podReference(pod.spec.namespace, pod.spec.name),
        pod.address,
        pod.node,
        pod.eni?.interface.link ?? 'the node’s',
        pod.hostVeth ?? '',
        pod.netns,
      ]),
    },
    {
      title: 'internet',
      headers: ['HOST', 'ADDRESS', 'PORTS'],
      rows: cloud.internetHosts.map((host) => [
        `internet/${host.name}`,
        host.address,
        host.ports.join(', '),
      ]),
    },
  ];
}

function shortEni(eni: NetworkInterface): string {
  return `${eni.link} ${eni.addresses[0].address}`;
}
