/**
 * An EKS cluster: worker nodes in subnets of one VPC, the control plane's endpoint, the add-ons and their settings, and
 * what the lab pins.
 *
 * @fidelity same - keys as in EKS's API (CreateCluster, vpcConfig), and their defaults
 * @see https://docs.aws.amazon.com/eks/latest/APIReference/API_VpcConfigRequest.html
 */

import * as z from 'zod';

import type { VpcGround } from '../aws/vpc.ts';
import type { Diagnostics } from '../base/diagnostic.ts';
import { cidr, type Cidr, containsCidr, overlaps, prefixLength } from '../base/ip.ts';
import { SERVICE_CIDRS } from '../k8s/service-port.ts';
import { cidrSchema, named } from '../source/scalar.ts';
import type { Where } from '../source/yaml.ts';
import { NodeSpec, PinSpec } from './node.ts';
import { CniSpec } from './vpc-cni.ts';

export const ClusterSpec = z.strictObject({
  vpc: z.string().describe('The VPC that the cluster is in'),
  version: z
    .string()
    .regex(/^1\.\d+$/, 'write it like "1.33", in quotes')
    .describe('The version of Kubernetes that the API server says it has')
    .default('1.33'),
  serviceCidr: cidrSchema
    .describe('Where the addresses of Services come from; no route of the VPC leads there')
    .optional(),
  subnets: z
    .array(z.string())
    .describe("The subnets of the control plane's network interfaces, in two zones at least")
    .optional(),
  endpointPublicAccess: z
    .boolean()
    .describe("The endpoint's name leads to a public address")
    .default(true),
  endpointPrivateAccess: z
    .boolean()
    .describe("Inside the VPC the endpoint's name leads to the control plane's network interfaces")
    .default(false),
  publicAccessCidrs: z
    .array(cidrSchema)
    .describe('Whom the public address lets in')
    .default([cidr('0.0.0.0/0')]),
  addons: z
    .strictObject({
      coredns: z.boolean().describe('Two pods of kube-system answer DNS').default(true),
      'kube-proxy': z.boolean().describe('Each node translates Services').default(true),
      'external-dns': z
        .boolean()
        .describe('The hosts of Ingresses become records of Route 53')
        .default(true),
    })
    .describe('What is installed into the cluster, beside the VPC CNI')
    .prefault({}),
  nodes: named(NodeSpec).describe('Worker nodes by name'),
  cni: CniSpec.describe(
    'The environment variables of the VPC CNI, as on the aws-node daemon set',
  ).prefault({}),
  pins: z
    .record(z.string(), PinSpec)
    .describe('Where pods are to be: `pod/client: { node, address, eni }`')
    .default({}),
});

export type ClusterSpec = z.output<typeof ClusterSpec>;

/** @see amazon-eks-ami files/bootstrap.sh: 172.20.0.10 is the DNS server where the VPC is in 10.0.0.0/8, else 10.100.0.10 */
export function serviceCidrOf(spec: ClusterSpec, vpcCidrs: readonly Cidr[]): Cidr {
  if (spec.serviceCidr !== undefined) return spec.serviceCidr;
  return vpcCidrs.some((block) => block.startsWith('10.'))
    ? SERVICE_CIDRS.inTen
    : SERVICE_CIDRS.usual;
}

/** @see https://docs.aws.amazon.com/eks/latest/APIReference/API_KubernetesNetworkConfigRequest.html serviceIpv4Cidr */
const PRIVATE_BLOCKS = [cidr('10.0.0.0/8'), cidr('172.16.0.0/12'), cidr('192.168.0.0/16')];
const SERVICE_PREFIX = { longest: 24, shortest: 12 } as const;

/** Reports `service-cidr`. */
export function checkServiceCidr(
  block: Cidr,
  vpc: VpcGround,
  where: Where,
  diagnostics: Diagnostics,
): void {
  const at = where.at('serviceCidr');
  const length = prefixLength(block);
  const taken = vpc.cidrs.find((one) => overlaps(one, block));
  if (taken !== undefined) {
    diagnostics.error(
      'service-cidr',
      at,
      `the service CIDR ${block} overlaps ${taken} of VPC "${vpc.name}": what is sent to a Service would also be somebody's address`,
      `take a block outside of the VPC, like ${SERVICE_CIDRS.inTen} or ${SERVICE_CIDRS.usual}`,
    );
  }
  if (length < SERVICE_PREFIX.shortest || length > SERVICE_PREFIX.longest) {
    diagnostics.error(
      'service-cidr',
      at,
      `the service CIDR ${block} is no block between /${SERVICE_PREFIX.longest} and /${SERVICE_PREFIX.shortest}`,
      'take a /16',
    );
  }
  if (!PRIVATE_BLOCKS.some((one) => containsCidr(one, block))) {
    diagnostics.error(
      'service-cidr',
      at,
      `the service CIDR ${block} is in none of ${PRIVATE_BLOCKS.join(', ')}`,
      `take one like ${SERVICE_CIDRS.inTen} or ${SERVICE_CIDRS.usual}`,
    );
  }
}
