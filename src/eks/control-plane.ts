/**
 * The EKS control plane: API servers that AWS runs elsewhere, with network interfaces of theirs in the cluster's subnets, and
 * an endpoint whose name leads to them.
 *
 * Kernel: a netns for each cross-account ENI (`eks-api-1`, …) whose port 443 speaks TLS with a certificate of the cluster's
 * CA. Service default/kubernetes leads to their addresses. With public access there is one more host on the internet that
 * has the endpoint's name; with private access the name leads inside the VPC to the ENIs. Pods trust the CA by
 * /var/run/secrets/kubernetes.io/serviceaccount/ca.crt, where a real pod has it.
 *
 * @fidelity same - ENIs, cluster security group, names, who reaches what, anonymous answers to /version and the health
 *   checks; simplified - there is no API behind it: whatever else is asked for is forbidden; two ENIs, in two zones where the
 *   VPC has them (EKS insists on two)
 * @see https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
 * @see https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html
 */

import type { Instance } from '../aws/instance.ts';
import { networkInterface, planPrimaryLink } from '../aws/network-interface.ts';
import { resolveGroupsOfEni } from '../aws/security-group.ts';
import { type AddressSources, findSubnet, type Subnet } from '../aws/subnet.ts';
import type { VpcGround } from '../aws/vpc.ts';
import { because } from '../base/because.ts';
import type { Diagnostics } from '../base/diagnostic.ts';
import { sha256Hex } from '../base/hash.ts';
import { type Cidr, type Ipv4, nth } from '../base/ip.ts';
import { netnsName } from '../base/names.ts';
import type { InternetHost } from '../internet/host.ts';
import type { WrittenSlice } from '../k8s/endpoint-slice.ts';
import type { ServiceSpec } from '../k8s/service.ts';
import { Fragment } from '../kernel/fragment.ts';
import type { NameRecord } from '../kernel/name-server.ts';
import { hostNetns } from '../kernel/netns.ts';
import type { Page } from '../kernel/server.ts';
import type { Certificate } from '../kernel/state.ts';
import { hostSysctls } from '../kernel/sysctl.ts';
import type { Where } from '../source/yaml.ts';
import { CLUSTER_SECURITY_GROUP } from './cluster-security-group.ts';
import type { ClusterSpec } from './cluster.ts';

/** EKS makes two to four. @see network-reqs.html "Subnet requirements for clusters" */
const INTERFACES = 2;

const API_PORT = 443;

export interface ControlPlane {
  /** The cross-account ENIs, each on a host of its own. */
  readonly servers: readonly Instance[];
  /** What kubeconfig files name. */
  readonly endpoint: string;
  /** The names and addresses in the API server's certificate. */
  readonly certificateNames: readonly string[];
  readonly isPrivate: boolean;
  /** The endpoint as the internet sees it. */
  readonly publicHost: InternetHost | undefined;
}

/** `0123…CDEF.gr7.us-east-1.eks.amazonaws.com`, of 32 digits that are random on AWS. */
function endpointName(vpc: string): string {
  const id = sha256Hex(`eks/${vpc}`).slice(0, 32).toUpperCase();
  return `${id}.gr7.us-east-1.eks.amazonaws.com`;
}

/** Reports `eks-subnets`. */
export function resolveControlPlane(
  spec: ClusterSpec,
  vpc: VpcGround,
  needs: AddressSources & { readonly serviceCidr: Cidr; readonly hasInternet: boolean },
  where: Where,
  diagnostics: Diagnostics,
): ControlPlane {
  const subnets = chooseSubnets(spec, vpc, where, diagnostics);
  const at = where.keyAt();
  const groups = resolveGroupsOfEni(vpc, [CLUSTER_SECURITY_GROUP], where, diagnostics);
  const servers = subnets.map((subnet, index): Instance => {
    const name = `api-${index + 1}`;
    const netns = netnsName(`eks-${name}`);
    const address = needs.book.take(subnet, `eks/${name}`, at);
    const eni = networkInterface({
      thing: `eks/${name}`,
      netns,
      link: 'eth0',
      subnet,
      addresses: [{ address, elastic: undefined }],
      sourceDestCheck: true,
      securityGroups: groups,
      at,
    });
    return { name, netns, interfaces: [eni], ports: [API_PORT], at };
  });
  const endpoint = endpointName(vpc.name);
  const isPublic = spec.endpointPublicAccess && needs.hasInternet;
  const publicHost: InternetHost | undefined = isPublic
    ? {
        name: endpoint,
        netns: netnsName('eks-public'),
        address: needs.elastic('the EKS endpoint', undefined, at),
        ports: [API_PORT],
        isSystem: true,
        allowedFrom: spec.publicAccessCidrs,
        at,
      }
    : undefined;
  return {
    servers,
    endpoint,
    certificateNames: [
      ...['kubernetes', 'kubernetes.default', 'kubernetes.default.svc'],
      'kubernetes.default.svc.cluster.local',
      endpoint.toLowerCase(),
    ]
      .map((name) => `DNS:${name}`)
      .concat(
        [
          nth(needs.serviceCidr, 1),
          ...servers.map((server) => server.interfaces[0].addresses[0].address),
          ...(publicHost === undefined ? [] : [publicHost.address]),
        ].map((address) => `IP:${address}`),
      ),
    // EKS answers the name from a private zone of its own, which needs both attributes.
    isPrivate: spec.endpointPrivateAccess && vpc.enableDnsSupport && vpc.enableDnsHostnames,
    publicHost,
  };
}

/** The declared ones, or one in each of two zones, those of the nodes first. */
function chooseSubnets(
  spec: ClusterSpec,
  vpc: VpcGround,
  where: Where,
  diagnostics: Diagnostics,
): Subnet[] {
  if (spec.subnets !== undefined) {
    const found = spec.subnets.flatMap(
      (name, index) => findSubnet(vpc, name, where.at('subnets', index), diagnostics) ?? [],
    );
    if (new Set(found.map(({ az }) => az)).size < 2 && found.length === spec.subnets.length) {
      diagnostics.error(
        'eks-subnets',
        where.at('subnets'),
        `the subnets of the cluster are in ${found.length === 0 ? 'no availability zone' : `one availability zone, ${found[0]?.az ?? ''}`}: EKS wants two at least`,
        'name subnets of two zones, or leave the key out',
      );
    }
    return found.slice(0, INTERFACES);
  }
  const ofNodes = Object.values(spec.nodes).flatMap(({ subnet }) => vpc.subnets.get(subnet) ?? []);
  const candidates = [...new Set([...ofNodes, ...vpc.subnets.values()])];
  const byZone = new Map(candidates.toReversed().map((subnet) => [subnet.az, subnet]));
  const chosen = candidates.filter((subnet) => byZone.get(subnet.az) === subnet);
  const [first] = chosen;
  if (first === undefined) return [];
  return Array.from({ length: INTERFACES }, (_, index) => chosen[index] ?? first);
}

/** What default/kubernetes is, in every cluster. */
export function kubernetesService(
  { servers }: ControlPlane,
  serviceCidr: Cidr,
  where: Where,
): { readonly service: ServiceSpec; readonly slice: WrittenSlice } {
  const at = where.keyAt();
  const addresses = servers.map((server) => server.interfaces[0].addresses[0].address);
  const name = 'https';
  return {
    service: clusterService('default', 'kubernetes', nth(serviceCidr, 1), where, [
      { name, protocol: 'tcp', port: API_PORT, targetPort: API_PORT, nodePort: undefined, where },
    ]),
    slice: {
      namespace: 'default',
      service: 'kubernetes',
      at,
      slice: {
        ports: [{ name, protocol: 'tcp', port: API_PORT }],
        endpoints: addresses.map((address) => ({
          address,
          node: undefined,
          zone: undefined,
          hostname: undefined,
          pod: undefined,
          ready: true,
          serving: true,
          terminating: false,
          hints: undefined,
        })),
      },
    },
  };
}

/** A Service that no manifest declares. */
export function clusterService(
  namespace: string,
  name: string,
  clusterIp: Ipv4,
  where: Where,
  ports: ServiceSpec['ports'],
  selector?: ServiceSpec['selector'],
): ServiceSpec {
  return {
    namespace,
    name,
    type: 'ClusterIP',
    clusterIp,
    selector,
    ports,
    externalIps: [],
    externalName: undefined,
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    affinitySeconds: undefined,
    loadBalancerSourceRanges: [],
    loadBalancerIps: [],
    healthCheckNodePort: undefined,
    loadBalancerClass: undefined,
    allocatesNodePorts: true,
    publishNotReadyAddresses: false,
    trafficDistribution: undefined,
    annotations: {},
    at: where.keyAt(),
    where,
  };
}

/** What the VPC's own resolver says of the endpoint, and everybody else's. */
export function endpointNames(plane: ControlPlane): {
  readonly inside: readonly NameRecord[];
  readonly outside: readonly NameRecord[];
} {
  const { endpoint, servers, isPrivate, publicHost } = plane;
  const name = endpoint.toLowerCase();
  const outside = publicHost === undefined ? [] : [{ name, address: publicHost.address }];
  const inside = servers.map((server) => ({
    name,
    address: server.interfaces[0].addresses[0].address,
  }));
  return { inside: isPrivate ? inside : outside, outside };
}

const CERTIFICATE = '/run/hoplab/pki/apiserver.pem';
/** Where the kubelet puts it into each pod; /var/run is /run. */
export const CA_CERTIFICATE = '/run/secrets/kubernetes.io/serviceaccount/ca.crt';

/** Who signs the API server's certificate and the kubelets'. */
export const CERTIFICATE_AUTHORITY = {
  certificate: CA_CERTIFICATE,
  key: '/run/hoplab/pki/ca.key',
} as const;

function apiServerCertificate({ certificateNames: names }: ControlPlane): Certificate {
  return { kind: 'certificate', path: CERTIFICATE, authority: CERTIFICATE_AUTHORITY, names };
}

/** What the API server answers to who says not who he is. @see kubernetes bootstrappolicy system:public-info-viewer */
function pages(version: string): Page[] {
  const [major = '1', minor = '0'] = version.split('.');
  const json = { contentType: 'application/json' };
  const versionBody = {
    major,
    minor,
    gitVersion: `v${version}.0-eks-hoplab`,
    gitTreeState: 'clean',
    platform: 'linux/amd64',
  };
  const forbidden = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'forbidden: User "system:anonymous" cannot get this path',
    reason: 'Forbidden',
    details: {},
    code: 403,
  };
  return [
    {
      path: '/version',
      status: 200,
      ...json,
      body: JSON.stringify(versionBody, null, 1).replaceAll('\n', ''),
    },
    ...['/healthz', '/livez', '/readyz'].map((path) => ({
      path,
      status: 200,
      contentType: 'text/plain; charset=utf-8',
      body: 'ok',
    })),
    { status: 403, ...json, body: JSON.stringify(forbidden) },
  ];
}

export function planControlPlane(plane: ControlPlane, version: string): Fragment {
  const fragment = new Fragment();
  const served = {
    kind: 'served-port',
    protocol: 'tcp',
    port: API_PORT,
    http: true,
    identity: {},
    behaviour: {},
    pages: pages(version),
    tls: CERTIFICATE,
  } as const;
  for (const { name, netns, interfaces, at } of plane.servers) {
    const why = because('control-plane', `eks/${name}`, at);
    const [eni] = interfaces;
    fragment
      .add(
        why,
        ...hostNetns(netns),
        ...hostSysctls(netns, [eni.link]),
        apiServerCertificate(plane),
        { ...served, netns },
      )
      .addAll(planPrimaryLink(eni, why));
  }
  const { publicHost } = plane;
  if (publicHost === undefined) return fragment;
  const why = because('control-plane', `internet/${publicHost.name}`, publicHost.at);
  const { netns, allowedFrom = [] } = publicHost;
  fragment.add(why, { ...served, netns });
  if (allowedFrom.includes('0.0.0.0/0' as Cidr)) return fragment;
  return fragment.add(why, {
    kind: 'iptables-chain',
    netns,
    table: 'filter',
    chain: 'INPUT',
    policy: 'ACCEPT',
    rules: [
      ...allowedFrom.map((block) => `-s ${block} -j ACCEPT`),
      '-m comment --comment "publicAccessCidrs" -j DROP',
    ],
  });
}
