/**
 * What stands between two ENIs, or an ENI and the internet gateway, in the order in which AWS asks: the sender's security
 * groups, the network ACL of the subnet that is left, that of the subnet that is entered, the receiver's security groups.
 */

import {
  type Direction,
  isEveryPort,
  type PermissionHeader,
  renderPermission,
  renderPorts,
} from '../aws/ip-permission.ts';
import { decidingRule } from '../aws/network-acl.ts';
import type { NetworkInterface } from '../aws/network-interface.ts';
import { permittingRule, renderPeer } from '../aws/security-group.ts';
import type { Vpc } from '../aws/vpc.ts';
import type { Ipv4 } from '../base/ip.ts';
import { hasAddress, known } from './places.ts';
import { card } from './router.ts';
import { lost, type Lost, type Packet, type Traveller } from './traveller.ts';

/** The key of a rule's peer, and the word for it. */
const SIDE = { egress: 'to', ingress: 'from' } as const;

/** `undefined` on a side is the internet gateway, which has neither groups nor a subnet. */
export function passGates(
  traveller: Traveller,
  vpc: Vpc,
  from: NetworkInterface | undefined,
  to: NetworkInterface | undefined,
): Lost | undefined {
  if (traveller.isBeforeTheGates) return undefined;
  const edge = from?.subnet.name !== to?.subnet.name;
  return (
    (from === undefined ? undefined : passGroups(traveller, vpc, from, 'egress', undefined)) ??
    (from === undefined || !edge ? undefined : passAcl(traveller, vpc, from, 'egress')) ??
    (to === undefined || !edge ? undefined : passAcl(traveller, vpc, to, 'ingress')) ??
    (to === undefined ? undefined : passGroups(traveller, vpc, to, 'ingress', from))
  );
}

function passGroups(
  traveller: Traveller,
  vpc: Vpc,
  eni: NetworkInterface,
  direction: Direction,
  sender: NetworkInterface | undefined,
): Lost | undefined {
  const { packet } = traveller;
  const groups = eni.securityGroups;
  if (groups === undefined) return undefined;
  const names = groups.map((name) => `sg/${name}`).join(', ');
  if ((packet.isError && !traveller.isOfUnseen) || traveller.isKnownTo(eni.id)) {
    traveller.note(`${names} (${direction}) of ${card(eni)}: belongs to a connection it knows`);
    return undefined;
  }
  const peer = peerOf(packet, direction);
  const side = SIDE[direction];
  const rule = permittingRule(vpc, groups, direction, headerOf(packet), peer, sender);
  const what = `${renderHeader(packet)} ${side} ${peer}`;
  if (rule === undefined) {
    const group = known(vpc.securityGroups.get(groups[0] ?? ''), groups[0] ?? 'a group');
    const of = groups.length === 1 ? 'of' : 'of any of';
    const none = `no ${direction} rule ${of} ${names} (${card(eni)})`;
    const other = vpc.interfaces.find((one) => hasAddress(one, peer));
    const whom = other?.securityGroups?.[0];
    const suggestion = whom === undefined ? `${peer}/32` : `sg/${whom}`;
    return lost('ENI_SG_RULES_MISMATCH', `${none} allows ${what}`, group.at, {
      by: `${groups.map((name) => `sg/${name}`).join(',')} ${direction}`,
      remedy: `add to vpcs.${vpc.name}.securityGroups.${group.name}.${direction}: { ${ruleFor(packet)}${side}: ${suggestion} }`,
    });
  }
  if (rule === 'partly') {
    traveller.depends ??= `whether ${names} (${direction}) allow it hangs on the port that is chosen on the way`;
  } else {
    const words = `${renderPermission(rule.permission)} ${side} ${renderPeer(rule.peer)}`;
    traveller.note(`${names} (${direction}) of ${card(eni)}: a rule allows ${words}`, rule.at);
  }
  traveller.track(eni.id);
  return undefined;
}

function passAcl(
  traveller: Traveller,
  vpc: Vpc,
  eni: NetworkInterface,
  direction: Direction,
): Lost | undefined {
  const { packet } = traveller;
  const { networkAcl: name, name: subnet } = eni.subnet;
  const acl = known(vpc.networkAcls.get(name), `network ACL ${name}`);
  const peer = peerOf(packet, direction);
  const found = decidingRule(acl, direction, headerOf(packet), peer);
  const side = SIDE[direction];
  const what = `${renderHeader(packet)} ${side} ${peer}`;
  const where = `network ACL acl/${name} (${direction}, subnet "${subnet}")`;
  if (found === 'none' || ('number' in found && found.action === 'deny')) {
    const number = found === 'none' ? '*' : found.number;
    const first = found === 'none' ? 100 : Math.max(1, found.number - 1);
    return lost(
      'SUBNET_ACL_RESTRICTION',
      found === 'none'
        ? `no rule of ${where} matches ${what}, and rule * denies`
        : `rule ${number} of ${where} denies ${what}`,
      found === 'none' ? acl.at : found.at,
      {
        by: `acl/${name} ${direction} rule ${number}`,
        remedy: `add to vpcs.${vpc.name}.networkAcls.${name}.${direction}: ${first}: { action: allow, ${ruleFor(packet)}${side}: ${peer}/32 }`,
      },
    );
  }
  if ('partly' in found) {
    traveller.depends ??= `whether rule ${found.partly.number} of ${where} matches hangs on the port that is chosen on the way`;
  } else {
    traveller.note(`rule ${found.number} of ${where} allows it`, found.at);
  }
  return undefined;
}

function peerOf(packet: Packet, direction: Direction): Ipv4 {
  return direction === 'egress' ? packet.destination : packet.source;
}

function headerOf({ protocol, destinationPort, icmp }: Packet): PermissionHeader {
  return { protocol, destinationPort, icmpType: icmp.type, icmpCode: icmp.code };
}

function renderHeader({ protocol, destinationPort, icmp }: Packet): string {
  return protocol === 'icmp'
    ? `icmp type ${icmp.type}`
    : `${protocol} ${renderPorts(destinationPort)}`;
}

/** The keys of a rule that would match the packet. */
function ruleFor({ protocol, destinationPort, icmp }: Packet): string {
  if (protocol === 'icmp') return `protocol: icmp, icmpType: ${icmp.type}, `;
  const ports = isEveryPort(destinationPort) ? '' : `ports: ${renderPorts(destinationPort)}, `;
  return `protocol: ${protocol}, ${ports}`;
}
