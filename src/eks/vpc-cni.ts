/**
 * The VPC CNI plugin: how a pod's packets get from its netns to the ENI that bears its address.
 *
 * Kernel: a veth between the pod and its node, whose node side is named `eni` and eleven digits of a hash and bears no
 * address. The pod has its address as a /32 and one neighbour, 169.254.1.1, which is always the node side's MAC. On the
 * node a /32 route leads to the pod; rule 512 finds it before anything else; a pod whose address belongs to a secondary
 * ENI leaves by that ENI's own table (rule 1536), because the VPC would not take its source from another card.
 *
 * Packet's story: pod eth0 -> eni… on the node -> rule 512 (a neighbour), 1536 (my ENI's table) or main -> eth0/eth1.
 *
 * @fidelity same - text, names, priorities and tables of v1.22 with iptables; simplified - ENIs are attached when a pod
 *   needs them, none is kept warm; invented - interfaces are named eth0, eth1 as on Amazon Linux 2
 * @see amazon-vpc-cni-k8s@b5218838 cmd/routed-eni-cni-plugin/driver/driver.go, pkg/networkutils/network.go
 */

import * as z from 'zod';

import { because } from '../base/because.ts';
import { cidr, type Ipv4, ipv4 } from '../base/ip.ts';
import { hostVethName, type NetnsName, podMacAddress } from '../base/names.ts';
import { linkAddress, type NetworkInterface } from '../aws/network-interface.ts';
import { type PodSpec, podReference } from '../k8s/pod.ts';
import { Fragment } from '../kernel/fragment.ts';
import { hostNetns } from '../kernel/netns.ts';
import { MAIN_TABLE } from '../kernel/state.ts';
import { hostSysctls, linkSysctl } from '../kernel/sysctl.ts';
import { eniTable, LOOSE_RP_FILTER } from './eni-table.ts';
import {
  type BranchEni,
  branchTable,
  ENFORCING_MODES,
  planBranchEni,
  STRICT_VETH_PREFIX,
} from './pod-eni.ts';

/** `true` in YAML is as good as `"true"`: the real thing reads environment variables. */
const flag = z
  .union([z.boolean(), z.enum(['true', 'false'])])
  .transform((value) => value === true || value === 'true');

/** `9001` in YAML is as good as `"9001"`. */
function wholeNumber(min: number, max?: number): z.ZodType<number> {
  const number = z.coerce.number().int().min(min);
  const range = { minimum: min, ...(max === undefined ? {} : { maximum: max }) };
  return (max === undefined ? number : number.max(max)).meta({
    anyOf: [
      { type: 'integer', ...range },
      { type: 'string', pattern: '^[0-9]+$' },
    ],
  });
}

export const CniSpec = z.strictObject({
  AWS_VPC_K8S_CNI_EXTERNALSNAT: flag
    .describe('true: the node leaves the source address of pods as it is outside of the VPC')
    .default(false),
  AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: z
    .string()
    .describe('Blocks with commas between them to which the node does not translate either')
    .default(''),
  AWS_VPC_K8S_CNI_RANDOMIZESNAT: z
    .enum(['prng', 'hashrandom', 'none'])
    .describe("How the node's SNAT chooses source ports")
    .default('prng'),
  AWS_VPC_CNI_NODE_PORT_SUPPORT: flag
    .describe('Connections that come in by eth0 are answered by eth0')
    .default(true),
  AWS_VPC_K8S_CNI_VETHPREFIX: z
    .string()
    .regex(/^[a-z]{1,4}$/, 'one to four lower-case letters, like eni')
    .describe("How the names of pods' links on their node begin")
    .default('eni'),
  AWS_VPC_ENI_MTU: wholeNumber(576, 9001)
    .describe("The MTU of pods' links, in bytes")
    .default(9001),
  ENABLE_POD_ENI: flag
    .describe('true: pods that a SecurityGroupPolicy selects have an ENI of their own')
    .default(false),
  POD_SECURITY_GROUP_ENFORCING_MODE: z
    .enum(ENFORCING_MODES)
    .describe('strict: all that such a pod sends and gets meets its groups, from its node too')
    .default('strict'),
  DISABLE_TCP_EARLY_DEMUX: flag
    .describe('true: TCP from a node reaches the pods on it that have an ENI of their own')
    .default(false),
  MAX_ENI: wholeNumber(1).describe('The most ENIs a node may have').optional(),
});

export type CniSettings = z.output<typeof CniSpec>;

/** The mark of a connection that belongs to the primary ENI (AWS_VPC_K8S_CNI_CONNMARK). */
export const CONNMARK = '0x80/0x80';

/** @see pkg/networkutils/network.go: the gaps leave room for rules between */
const TO_POD_RULE_PRIORITY = 512;
export const NODE_PORT_RULE_PRIORITY = 1024;
const FROM_POD_RULE_PRIORITY = 1536;
const ENI_PRIMARY_RULE_PRIORITY = 32_765;

/** The pod's only neighbour. @see driver.go: "169.254.1.1" */
const POD_GATEWAY = ipv4('169.254.1.1');

/** Device 0 lives in main, device n in table n + 1. @see pkg/networkutils/helper.go CalculateRouteTableId */
export function routeTableId(deviceNumber: number): number {
  return deviceNumber === 0 ? MAIN_TABLE : deviceNumber + 1;
}

export interface Pod {
  readonly spec: PodSpec;
  readonly node: string;
  /** The pod's own netns, or the node's with hostNetwork. */
  readonly netns: NetnsName;
  readonly address: Ipv4;
  /** The ENI that bears the address; undefined with hostNetwork. */
  readonly eni: { readonly interface: NetworkInterface; readonly deviceNumber: number } | undefined;
  /** Where the pod has that ENI for itself. */
  readonly branch: BranchEni | undefined;
  readonly hostVeth: string | undefined;
}

export function podHostVeth(
  settings: CniSettings,
  spec: PodSpec,
  branch: BranchEni | undefined,
): string {
  const prefix =
    branch?.mode === 'strict' ? STRICT_VETH_PREFIX : settings.AWS_VPC_K8S_CNI_VETHPREFIX;
  return hostVethName(prefix, spec.namespace, spec.name);
}

/** What the CNI sets up for one pod, in the pod and on its node. */
export function planPodNetwork(pod: Pod, node: NetnsName, settings: CniSettings): Fragment {
  const thing = podReference(pod.spec.namespace, pod.spec.name);
  const why = because('vpc-cni', thing, pod.spec.at);
  const { netns, address, eni, branch, hostVeth } = pod;
  if (eni === undefined || hostVeth === undefined) return new Fragment();
  const mac = { pod: podMacAddress(`${thing}/eth0`), host: podMacAddress(`${thing}/${hostVeth}`) };
  const inPod = { kind: 'route', netns, table: MAIN_TABLE, type: 'unicast', link: 'eth0' } as const;
  const fragment = new Fragment().add(
    why,
    ...hostNetns(netns),
    ...hostSysctls(netns, ['eth0']),
    {
      kind: 'veth',
      ends: [
        { netns: node, link: hostVeth, mac: mac.host },
        { netns, link: 'eth0', mac: mac.pod },
      ],
      mtuBytes: settings.AWS_VPC_ENI_MTU,
    },
    { ...inPod, destination: cidr(`${POD_GATEWAY}/32`), scopeLink: true },
    { ...inPod, destination: 'default', via: POD_GATEWAY },
    { kind: 'address', netns, link: 'eth0', address, prefixLength: 32, connectedRoute: true },
    { kind: 'neighbour', netns, link: 'eth0', address: POD_GATEWAY, mac: mac.host },
    linkSysctl(node, hostVeth, 'rp_filter', LOOSE_RP_FILTER),
  );
  if (branch !== undefined) {
    fragment.addAll(planBranchEni(eni.interface, branch, hostVeth, why));
  }
  const table = branch === undefined ? routeTableId(eni.deviceNumber) : branchTable(branch);
  const isStrict = branch?.mode === 'strict';
  fragment.add(why, {
    kind: 'route',
    netns: node,
    table: isStrict ? table : MAIN_TABLE,
    type: 'unicast',
    destination: cidr(`${address}/32`),
    link: hostVeth,
    scopeLink: true,
  });
  if (isStrict) return fragment;
  const rule = { kind: 'rule', netns: node } as const;
  fragment.add(why, {
    ...rule,
    priority: TO_POD_RULE_PRIORITY,
    to: address,
    table: MAIN_TABLE,
  });
  if (table !== MAIN_TABLE) {
    fragment.add(why, { ...rule, priority: FROM_POD_RULE_PRIORITY, from: address, table });
  }
  return fragment;
}

/** A secondary ENI on its node: an own table, and nothing of it in main. @see network.go setupENINetwork */
export function planSecondaryEni(
  eni: NetworkInterface,
  deviceNumber: number,
  isTrunk: boolean,
): Fragment {
  const why = because('vpc-cni', `${eni.thing}:${eni.link}`, eni.at);
  const { netns } = eni;
  const table = routeTableId(deviceNumber);
  const address = eni.addresses[0].address;
  const fragment = new Fragment().add(
    why,
    linkAddress(eni, address, false),
    ...eniTable(eni, table),
  );
  // The trunk itself answers nobody.
  if (isTrunk) return fragment;
  return fragment.add(why, {
    kind: 'rule',
    netns,
    priority: ENI_PRIMARY_RULE_PRIORITY,
    from: address,
    table,
  });
}
