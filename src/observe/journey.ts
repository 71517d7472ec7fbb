/**
 * One packet joined across the hops that saw it, from the captures of several network namespaces.
 *
 * NAT gives a packet other addresses and ports, so that it is known again by what NAT leaves alone: the sequence number
 * of TCP, the payload of ICMP echo and UDP. All captures are of one machine, whose clock orders the hops.
 */

import { ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST } from './pcap.ts';
import type { Packet } from './pcap.ts';
import type { Ipv4 } from '../base/ip.ts';

export interface Capture {
  /** The network namespace. */
  readonly place: string;
  readonly links: ReadonlyMap<number, string>;
  readonly packets: readonly Packet[];
}

export interface Sighting {
  readonly place: string;
  readonly link: string;
  readonly packet: Packet;
}

export interface Flow {
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  readonly source: Ipv4;
  /** Both ends included. */
  readonly sourcePorts?: { readonly from: number; readonly to: number };
  readonly destination?: Ipv4;
  readonly destinationPort?: number;
  /** Asked of UDP and ICMP only: a SYN carries no payload. */
  readonly payloadContains?: string;
}

/**
 * Every sighting of the packet in time order, of its first transmission only. A fragmented packet is seen by its first
 * fragment. UDP is followed from the given packet on, because the same payload may have been sent before.
 */
export function sightings(captures: readonly Capture[], first: Packet): Sighting[] {
  const seen = seenWhere(captures, (packet) => isSamePacket(first, packet));
  return firstTransmission(first.protocol === 'udp' ? withoutEchoes(seen, first) : seen);
}

/** The earliest packet that opens the flow: the TCP SYN, the ICMP echo request, the datagram. */
export function firstPacket(captures: readonly Capture[], flow: Flow): Packet | undefined {
  return seenWhere(captures, (packet) => opens(flow, packet))[0]?.packet;
}

/** The first packet of TCP from an address that carries a text. */
export function firstCarrier(
  captures: readonly Capture[],
  source: Ipv4,
  text: string,
): Packet | undefined {
  return seenWhere(
    captures,
    (packet) => packet.protocol === 'tcp' && packet.source === source && carries(packet, text),
  )[0]?.packet;
}

/** The same, of those that had no other source before: what a router merely sends on is not its own. */
export function firstOwnPacket(captures: readonly Capture[], flow: Flow): Packet | undefined {
  return seenWhere(captures, (packet) => opens(flow, packet)).find(
    ({ packet }) => sightings(captures, packet)[0]?.packet.source === packet.source,
  )?.packet;
}

/**
 * The answer to a SYN (SYN-ACK or RST), an echo request or a datagram, wherever it was seen, in time order and of its
 * first transmission. A datagram's answer is known by the swapped addresses and ports at a place that saw the request.
 */
export function answers(captures: readonly Capture[], request: Packet): Sighting[] {
  const seen =
    request.protocol === 'udp'
      ? udpAnswers(captures, request)
      : seenWhere(captures, (packet) => isAnswer(request, packet));
  return firstTransmission(seen);
}

function isSamePacket(a: Packet, b: Packet): boolean {
  if (a.protocol !== b.protocol || a.fragmentOffset > 0 || b.fragmentOffset > 0) return false;
  if (a.tcp && b.tcp) {
    return (
      a.tcp.sequence === b.tcp.sequence &&
      a.tcp.acknowledgement === b.tcp.acknowledgement &&
      a.tcp.syn === b.tcp.syn &&
      a.tcp.ack === b.tcp.ack &&
      a.tcp.fin === b.tcp.fin &&
      a.tcp.rst === b.tcp.rst &&
      // The last segment of the handshake and the first with data have all numbers in common.
      a.payload.length > 0 === b.payload.length > 0
    );
  }
  if (a.icmp && b.icmp) {
    if (a.icmp.type !== b.icmp.type || a.icmp.code !== b.icmp.code) return false;
    // NAT rewrites the packet that an error quotes, but no hop changes the identification of the IP header.
    return isEcho(a)
      ? a.icmp.sequence === b.icmp.sequence && hasSamePayload(a, b)
      : a.ipId === b.ipId;
  }
  if (a.protocol === 'other') return a.ipId === b.ipId && hasSamePayload(a, b);
  return a.protocol === 'udp' && hasSamePayload(a, b);
}

function isEcho(packet: Packet): boolean {
  return packet.icmp?.type === ICMP_ECHO_REQUEST || packet.icmp?.type === ICMP_ECHO_REPLY;
}

/** Compares what both have: a fragment has less than the whole, and one capture may keep less than another. */
function hasSamePayload(a: Packet, b: Packet): boolean {
  const mayDiffer = a.moreFragments || b.moreFragments;
  if (!mayDiffer && a.lengthBytes !== b.lengthBytes) return false;
  const common = Math.min(a.payload.length, b.payload.length);
  return a.payload.subarray(0, common).every((byte, index) => byte === b.payload[index]);
}

function opens(flow: Flow, packet: Packet): boolean {
  if (packet.protocol !== flow.protocol || packet.source !== flow.source) return false;
  if (packet.fragmentOffset > 0) return false;
  if (flow.destination !== undefined && packet.destination !== flow.destination) return false;
  if (flow.protocol === 'icmp') {
    return packet.icmp?.type === ICMP_ECHO_REQUEST && carries(packet, flow.payloadContains);
  }
  const { sourcePorts, destinationPort } = flow;
  if (sourcePorts && (packet.sourcePort < sourcePorts.from || packet.sourcePort > sourcePorts.to)) {
    return false;
  }
  if (destinationPort !== undefined && packet.destinationPort !== destinationPort) return false;
  return flow.protocol === 'tcp' ? isSyn(packet) : carries(packet, flow.payloadContains);
}

function isSyn(packet: Packet): boolean {
  return packet.tcp !== undefined && packet.tcp.syn && !packet.tcp.ack;
}

function carries(packet: Packet, text: string | undefined): boolean {
  return text === undefined || Buffer.from(packet.payload).includes(text);
}

function isAnswer(request: Packet, packet: Packet): boolean {
  if (packet.protocol !== request.protocol || packet.timeMs < request.timeMs) return false;
  if (request.tcp && packet.tcp) {
    const { syn, ack, rst, acknowledgement } = packet.tcp;
    // Sequence numbers wrap at 32 bits.
    return (
      isSyn(request) && ack && (syn || rst) && acknowledgement === (request.tcp.sequence + 1) >>> 0
    );
  }
  return (
    request.icmp?.type === ICMP_ECHO_REQUEST &&
    packet.icmp?.type === ICMP_ECHO_REPLY &&
    packet.icmp.sequence === request.icmp.sequence &&
    hasSamePayload(request, packet)
  );
}

function udpAnswers(captures: readonly Capture[], request: Packet): Sighting[] {
  const askedAtMs = new Map<string, number>();
  for (const { place, packet } of sightings(captures, request)) {
    const key = conversation(place, packet);
    if (!askedAtMs.has(key)) askedAtMs.set(key, packet.timeMs);
  }
  return seenWhere(captures, (packet, place) => {
    if (packet.protocol !== 'udp' || packet.fragmentOffset > 0) return false;
    const sinceMs = askedAtMs.get(conversation(place, swapped(packet)));
    return sinceMs !== undefined && packet.timeMs >= sinceMs;
  });
}

/** A server that echoes sends the same payload back. */
function withoutEchoes(seen: readonly Sighting[], first: Packet): Sighting[] {
  const asked = new Set<string>();
  return seen.filter(({ place, packet }) => {
    if (packet.timeMs < first.timeMs || asked.has(conversation(place, swapped(packet)))) {
      return false;
    }
    asked.add(conversation(place, packet));
    return true;
  });
}

type Ends = Pick<Packet, 'source' | 'sourcePort' | 'destination' | 'destinationPort'>;

function swapped(packet: Ends): Ends {
  return {
    source: packet.destination,
    sourcePort: packet.destinationPort,
    destination: packet.source,
    destinationPort: packet.sourcePort,
  };
}

function conversation(place: string, ends: Ends): string {
  const { source, sourcePort, destination, destinationPort } = ends;
  return `${place} ${source}:${sourcePort} ${destination}:${destinationPort}`;
}

/** A retransmission is the same packet again, on the same links between the same addresses. */
function firstTransmission(seen: readonly Sighting[]): Sighting[] {
  const passed = new Set<string>();
  return seen.filter(({ place, link, packet }) => {
    const key = [place, link, packet.direction, packet.source, packet.destination].join(' ');
    if (passed.has(key)) return false;
    passed.add(key);
    return true;
  });
}

function seenWhere(
  captures: readonly Capture[],
  matches: (packet: Packet, place: string) => boolean,
): Sighting[] {
  const seen = captures.flatMap(({ place, links, packets }) =>
    packets
      .filter((packet) => matches(packet, place))
      .map((packet) => ({
        place,
        link: links.get(packet.ifindex) ?? `if${packet.ifindex}`,
        packet,
      })),
  );
  // Two hops may fall into one microsecond; every router takes one from the TTL, so the higher one came before.
  return seen.sort((a, b) => a.packet.timeMs - b.packet.timeMs || b.packet.ttl - a.packet.ttl);
}
