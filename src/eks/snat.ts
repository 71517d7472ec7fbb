/**
 * The VPC CNI's iptables rules on a node: whose address a pod's packets bear outside the VPC, and by which ENI they go.
 *
 * By default a node gives packets that leave the VPC its own primary address (AWS-SNAT-CHAIN-0). Their connection is
 * marked 0x80 on its way in (AWS-CONNMARK-CHAIN-0), the mark is put on each packet, and rule 1024 then sends it by the
 * primary ENI, whichever ENI the pod lives on. With AWS_VPC_K8S_CNI_EXTERNALSNAT=true the pod's own address leaves, and
 * the two chains stay behind, empty.
 *
 * @fidelity same - the rules' text and order as v1.22 leaves them in iptables-save
 * @see amazon-vpc-cni-k8s@b5218838 pkg/networkutils/network.go buildIptablesSNATRules, iptables_connmark.go
 */

import type { Because } from '../base/because.ts';
import type { Diagnostics } from '../base/diagnostic.ts';
import { type Cidr, type Ipv4, parseCidr } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';
import { Fragment, IPTABLES_ORDER } from '../kernel/fragment.ts';
import { type IptablesTable, MAIN_TABLE } from '../kernel/state.ts';
import type { Where } from '../source/yaml.ts';
import { CONNMARK, type CniSettings, NODE_PORT_RULE_PRIORITY } from './vpc-cni.ts';

const MARK_TO_PACKET = '-j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80';
const MARK_CONNECTION = `-j CONNMARK --set-xmark ${CONNMARK}`;
const RANDOM = { prng: ' --random-fully', hashrandom: ' --random', none: '' } as const;

export function excludedCidrs(
  settings: CniSettings,
  where: Where,
  diagnostics: Diagnostics,
): Cidr[] {
  const words = settings.AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS.split(',').map((word) => word.trim());
  return words.flatMap((word) => {
    if (word === '') return [];
    const block = parseCidr(word);
    if (block !== undefined) return [block];
    diagnostics.error(
      'not-a-cidr',
      where.at('AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS'),
      `AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: "${word}" is not a CIDR block`,
      'write blocks with commas between them, like "192.168.0.0/16,172.16.0.0/12"',
    );
    return [];
  });
}

export function planSnat(
  node: NetnsName,
  needs: {
    primaryAddress: Ipv4;
    vpcCidrs: readonly Cidr[];
    excluded: readonly Cidr[];
    settings: CniSettings;
  },
  why: Because,
): Fragment {
  const { settings, vpcCidrs, excluded, primaryAddress } = needs;
  const external = settings.AWS_VPC_K8S_CNI_EXTERNALSNAT;
  const nodePort = settings.AWS_VPC_CNI_NODE_PORT_SUPPORT;
  const prefix = settings.AWS_VPC_K8S_CNI_VETHPREFIX;
  const fragment = new Fragment();
  const hook = (table: IptablesTable, chain: string, rule: string): void => {
    const order = IPTABLES_ORDER.vpcCni;
    fragment.add(why, { kind: 'iptables-rule', netns: node, table, chain, order, rule });
  };
  const own = (chain: string, rules: readonly string[]): void => {
    fragment.add(why, { kind: 'iptables-chain', netns: node, table: 'nat', chain, rules });
  };
  const primary = '-m comment --comment "AWS, primary ENI"';
  const connmark = '-m comment --comment "AWS, CONNMARK"';

  if (nodePort) {
    hook(
      'mangle',
      'PREROUTING',
      `-i eth0 ${primary} -m addrtype --dst-type LOCAL --limit-iface-in ${MARK_CONNECTION}`,
    );
  }
  if (nodePort || !external) {
    hook('mangle', 'PREROUTING', `-i ${prefix}+ ${primary} ${MARK_TO_PACKET}`);
    if (nodePort) hook('mangle', 'PREROUTING', `-i vlan+ ${primary} ${MARK_TO_PACKET}`);
    fragment.add(why, {
      kind: 'rule',
      netns: node,
      priority: NODE_PORT_RULE_PRIORITY,
      fwmark: CONNMARK,
      table: MAIN_TABLE,
    });
  }
  if (external) {
    own('AWS-CONNMARK-CHAIN-0', []);
    own('AWS-SNAT-CHAIN-0', []);
    return fragment;
  }

  hook(
    'nat',
    'PREROUTING',
    `-i ${prefix}+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0`,
  );
  hook('nat', 'PREROUTING', `${connmark} ${MARK_TO_PACKET}`);
  hook('nat', 'POSTROUTING', '-m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0');

  // Each block is inserted at the head, so that the list reads backwards: excluded blocks first, the VPC's last.
  const blocks = [
    ...[...excluded].reverse().map((block) => ({ block, isVpc: false })),
    ...[...vpcCidrs].reverse().map((block) => ({ block, isVpc: true })),
  ];
  const returns = (vpcComment: string, excludedComment: string): string[] =>
    blocks.map(({ block, isVpc }) => {
      const comment = isVpc ? vpcComment : excludedComment;
      const match = block === '0.0.0.0/0' ? '' : `-d ${block} `;
      return `${match}-m comment --comment "${comment}" -j RETURN`;
    });
  own('AWS-CONNMARK-CHAIN-0', [
    ...returns('AWS CONNMARK CHAIN, VPC CIDR', 'AWS CONNMARK CHAIN, EXCLUDED CIDR'),
    `${connmark} ${MARK_CONNECTION}`,
  ]);
  own('AWS-SNAT-CHAIN-0', [
    ...returns('AWS SNAT CHAIN', 'AWS SNAT CHAIN EXCLUSION'),
    `! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL -j SNAT --to-source ${primaryAddress}${RANDOM[settings.AWS_VPC_K8S_CNI_RANDOMIZESNAT]}`,
  ]);
  return fragment;
}
