/** Beyond the VPC: internet gateways, which map one address to one, and the internet, which knows public ones alone. */

import type { InternetGateway } from '../aws/internet-gateway.ts';
import type { Vpc } from '../aws/vpc.ts';
import { contains, NOT_ROUTED_ON_THE_INTERNET } from '../base/ip.ts';
import { addressMappings } from '../cloud.ts';
import { gatewayReference, hostPlace } from './places.ts';
import { lost, type Stage, type Traveller } from './traveller.ts';

export function goOut(traveller: Traveller, vpc: Vpc, gateway: InternetGateway): Stage {
  const reference = gatewayReference(gateway);
  traveller.pass(reference);
  const { source, destination } = traveller.packet;
  const mappings = addressMappings(vpc);
  const mapping = mappings.find((one) => one.private === source);
  if (mapping === undefined) {
    return lost(
      'IGW_NO_PUBLIC_ADDRESS',
      `${source} comes to ${reference} without a public address: nothing maps it to an Elastic IP`,
      traveller.route,
      { by: reference },
    );
  }
  const clause = `${reference} maps ${source} to ${mapping.public}`;
  traveller.translate(reference, mapping.public, clause);
  const turned = mappings.find((one) => one.public === destination);
  if (turned === undefined) return { at: 'internet' };
  traveller.tell(`${destination} is ${turned.private} of the same VPC`);
  traveller.redirect(turned.private);
  return { at: 'local', vpc, from: undefined };
}

/** One router stands for the internet, and takes one off the time to live. */
export function crossInternet(traveller: Traveller): Stage {
  const { cloud, packet } = traveller;
  const { destination } = packet;
  traveller.forward();
  const block = NOT_ROUTED_ON_THE_INTERNET.find((one) => contains(one, destination));
  if (block !== undefined) {
    return lost(
      'PRIVATE_DESTINATION',
      `${destination} lies in ${block}, which the internet does not route`,
      traveller.route,
    );
  }
  const host = cloud.internetHosts.find((one) => one.address === destination);
  if (host !== undefined) {
    const place = hostPlace(host);
    traveller.pass(place.reference);
    const { allowedFrom } = host;
    const isLetIn = allowedFrom?.some((block) => contains(block, packet.source)) ?? true;
    if (!traveller.isReply && !isLetIn) {
      return lost(
        'PUBLIC_ACCESS_CIDRS',
        `the EKS endpoint takes ${allowedFrom?.join(', ') ?? ''} alone, and ${packet.source} is in none of them`,
        host.at,
        { by: place.reference },
      );
    }
    return { at: 'arrived', place };
  }
  for (const vpc of cloud.vpcs.values()) {
    const gateway = vpc.internetGateway;
    if (gateway === undefined) continue;
    const mapping = addressMappings(vpc).find((one) => one.public === destination);
    if (mapping === undefined) continue;
    const reference = gatewayReference(gateway);
    traveller.pass(reference);
    traveller.tell(`${reference} maps ${destination} to ${mapping.private}`);
    traveller.redirect(mapping.private);
    return { at: 'local', vpc, from: undefined };
  }
  return lost('ADDRESS_NOT_ASSIGNED', `nobody on the internet has ${destination}`);
}
