/** What the labels of a picture say beside a thing's name: a line each, and none for what every lab has. */

import type { DbInstance, DbServer } from '../aws/db-instance.ts';
import type { NetworkInterface } from '../aws/network-interface.ts';
import type { Subnet } from '../aws/subnet.ts';
import type { Vpc } from '../aws/vpc.ts';
import type { Pod } from '../eks/vpc-cni.ts';
import type { NetworkPolicy } from '../k8s/network-policy-match.ts';

/** `eth0 10.0.3.10`, and where a further card is in another subnet than the first, which. */
export function eniLines(interfaces: readonly [NetworkInterface, ...NetworkInterface[]]): string[] {
  const [{ subnet }] = interfaces;
  return interfaces.map((eni) => {
    const [primary] = eni.addresses;
    const elsewhere = eni.subnet.name === subnet.name ? '' : ` in ${eni.subnet.name}`;
    return `${eni.link} ${renderAddress(primary)}${elsewhere}`;
  });
}

/** The network ACL of a subnet, if the lab declares it. */
export function aclLines(vpc: Vpc, { networkAcl }: Subnet): string[] {
  return vpc.networkAcls.get(networkAcl)?.isDeclared === true ? [`acl ${networkAcl}`] : [];
}

/** The security groups that the lab declares, in one line where all cards carry the same. */
export function groupLines(vpc: Vpc, interfaces: readonly NetworkInterface[]): string[] {
  const lines = interfaces.map(({ link, securityGroups = [] }) => {
    const declared = securityGroups.filter((one) => vpc.securityGroups.get(one)?.isDeclared);
    return { link, text: declared.length === 0 ? '' : `sg ${declared.join(', ')}` };
  });
  const texts = new Set(lines.map(({ text }) => text));
  const told =
    texts.size === 1 ? [...texts] : lines.map(({ link, text }) => text && `${link} ${text}`);
  return told.filter((text) => text !== '');
}

/** What a NAT gateway shows: its one card needs no name. */
export function addressesOf(eni: NetworkInterface): string[] {
  return eni.addresses.map(renderAddress);
}

export function renderAddress({ address, elastic }: NetworkInterface['addresses'][number]): string {
  return elastic === undefined ? address : `${address} = ${elastic}`;
}

/** Whom the name of a database leads to now, and who takes over. */
export function databaseLines(database: DbInstance, server: DbServer): string[] {
  const { primary, standby, port } = database;
  if (server === standby) return ['standby: takes over, lets nobody in'];
  const role = server === primary && standby !== undefined ? 'primary: ' : '';
  return [`${role}the endpoint leads here, port ${port}`];
}

/** The NetworkPolicies that isolate a pod: `netpol web-allow`. */
export function policyLines(policies: readonly NetworkPolicy<Pod>[], pod: Pod): string[] {
  const names = policies
    .filter(({ selected }) => selected.includes(pod))
    .map(({ spec }) => spec.name);
  const [first, ...others] = names;
  if (first === undefined) return [];
  return [`netpol ${first}${others.length === 0 ? '' : ` and ${others.length} more`}`];
}
