/** The VPC's router: the source check, the subnet's route table, and who has an address. It is no hop. */

import { INTERNET_MTU_BYTES } from '../aws/internet-gateway.ts';
import type { NetworkInterface } from '../aws/network-interface.ts';
import { lookup, type VpcRoute } from '../aws/route-table.ts';
import { reservedFor } from '../aws/subnet.ts';
import type { Vpc } from '../aws/vpc.ts';
import { contains, type Ipv4 } from '../base/ip.ts';
import { gatewayReference, hasAddress, isOwn, known, resolverPlace, vpcOf } from './places.ts';
import { lost, type Stage, type Traveller } from './traveller.ts';

export function route(traveller: Traveller, eni: NetworkInterface): Stage {
  const { source, destination } = traveller.packet;
  if (eni.sourceDestCheck && !hasAddress(eni, source)) {
    return lost(
      'SOURCE_DEST_CHECK',
      `${card(eni)} sends with the source ${source}, which is not its own, and its source/destination check is on`,
      eni.at,
      { by: card(eni) },
    );
  }
  const vpc = vpcOf(traveller.cloud, eni);
  const balancer = traveller.handedOnBy;
  if (balancer !== undefined) {
    traveller.tell(`the VPC knows the connection as one of ${card(balancer)}'s`);
    return { at: 'eni', eni: balancer, vpc, from: eni };
  }
  // Whatever the route tables and the subnets say, and out of reach of security groups and network ACLs.
  const resolver = resolverPlace(vpc);
  if (vpc.enableDnsSupport && isOwn(resolver, destination)) {
    traveller.story.push(`${destination} is the DNS server of VPC "${vpc.name}"`);
    return { at: 'arrived', place: resolver };
  }
  const { routeTable, name } = eni.subnet;
  const table = known(vpc.routeTables.get(routeTable), `route table ${routeTable}`);
  const found = lookup(table, vpc.cidrs, (block) => contains(block, destination));
  const rule = `route table "${table.name}" of subnet "${name}"`;
  if (found === 'none') {
    return lost('NO_ROUTE_TO_DESTINATION', `${rule} has no route to ${destination}`, table.at, {
      by: `rtb/${table.name}`,
      remedy: `add to vpcs.${vpc.name}.routeTables.${table.name}.routes: { destination: …, target: … }`,
    });
  }
  if (found === 'local') {
    traveller.tell(`${rule} has ${destination} as "local"`);
    return { at: 'local', vpc, from: eni };
  }
  return follow(traveller, vpc, eni, found, rule);
}

function follow(
  traveller: Traveller,
  vpc: Vpc,
  from: NetworkInterface,
  found: VpcRoute,
  rule: string,
): Stage {
  const { destination, target, at } = found;
  traveller.route = at;
  switch (target.kind) {
    case 'blackhole': {
      const by = `rtb/${from.subnet.routeTable}`;
      const was = target.was === undefined ? '' : ` to ${target.was}, which was deleted`;
      return lost('ROUTE_BLACKHOLE', `${rule} has ${destination} as a blackhole${was}`, at, { by });
    }
    case 'igw': {
      const gateway = known(vpc.internetGateway, `internet gateway ${target.name}`);
      const reference = gatewayReference(gateway);
      const tooBig = traveller.squeeze(INTERNET_MTU_BYTES, `the way by ${reference}`);
      if (tooBig !== undefined) return tooBig;
      traveller.tell(`${rule} sends ${destination} to ${reference}`, at);
      return { at: 'outwards', vpc, gateway, from };
    }
    case 'nat':
    case 'eni':
      traveller.tell(`${rule} sends ${destination} to ${card(target.eni)}`, at);
      return { at: 'eni', eni: target.eni, vpc, from };
  }
}

/** Only an assigned address has somebody behind it; the router and the reserved addresses answer nothing. */
export function deliver(traveller: Traveller, vpc: Vpc, from: NetworkInterface | undefined): Stage {
  const { destination } = traveller.packet;
  const eni = vpc.interfaces.find((one) => hasAddress(one, destination));
  if (eni !== undefined) return { at: 'eni', eni, vpc, from };
  return lost('ADDRESS_NOT_ASSIGNED', whyNobody(vpc, destination));
}

function whyNobody(vpc: Vpc, address: Ipv4): string {
  const subnet = [...vpc.subnets.values()].find((one) => contains(one.cidr, address));
  if (subnet === undefined) return `${address} is in no subnet of VPC "${vpc.name}"`;
  const reserved = reservedFor(subnet, address);
  return reserved === undefined
    ? `no ENI in subnet "${subnet.name}" has ${address}`
    : `${address} is ${reserved} in subnet "${subnet.name}", and answers nothing`;
}

/** An ENI as the user names it; the first one of a thing is the thing. */
export function card(eni: NetworkInterface): string {
  return eni.link === 'eth0' ? eni.thing : `${eni.thing}:${eni.link}`;
}
