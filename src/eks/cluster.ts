/**
 * An EKS cluster: worker nodes in subnets of one VPC, the VPC CNI's settings, and what the lab pins.
 *
 * @fidelity simplified - the control plane's endpoint is not built yet
 * @see https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
 */

import * as z from 'zod';

import { named } from '../source/scalar.ts';
import { NodeSpec, PinSpec } from './node.ts';
import { CniSpec } from './vpc-cni.ts';

export const ClusterSpec = z.strictObject({
  vpc: z.string().describe('The VPC that the cluster is in'),
  nodes: named(NodeSpec).describe('Worker nodes by name'),
  cni: CniSpec.describe(
    'The environment variables of the VPC CNI, as on the aws-node daemon set',
  ).prefault({}),
  pins: z
    .record(z.string(), PinSpec)
    .describe('Where pods are to be: `pod/client: { node, address, eni }`')
    .default({}),
});
