/**
 * Reads what tcpdump wrote: a pcap file becomes IPv4 packets as plain values.
 *
 * `tcpdump -i any` writes LINKTYPE_LINUX_SLL2, whose frame header names the interface and the direction. Captures that
 * a person took on one link are Ethernet. A capture is stopped by a signal while it writes and keeps only the first
 * bytes of each packet, so that everything here may end early.
 *
 * @see https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html
 * @see RFC 791 section 3.1, RFC 9293 sections 3.1 and 3.2 (the MSS option), RFC 768, RFC 792
 */

import { fromNumber } from '../base/ip.ts';
import type { Ipv4 } from '../base/ip.ts';
import { PcapStream } from './pcap-stream.ts';

export type PacketProtocol = 'tcp' | 'udp' | 'icmp' | 'other';

export interface Packet {
  /** Since the epoch, with fraction. */
  readonly timeMs: number;
  /** 0 in an Ethernet capture, which does not say it. */
  readonly ifindex: number;
  /** `other` also in an Ethernet capture. */
  readonly direction: 'in' | 'out' | 'other';
  readonly protocol: PacketProtocol;
  readonly source: Ipv4;
  readonly destination: Ipv4;
  /** Ports are 0 where there are none: ICMP, and fragments after the first. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly ttl: number;
  readonly ipId: number;
  /** In bytes, as tcpdump prints it; the header counts in eights. */
  readonly fragmentOffset: number;
  readonly moreFragments: boolean;
  /** Total length of the IP packet, however little of it was captured. */
  readonly lengthBytes: number;
  readonly tcp: TcpHeader | undefined;
  readonly icmp: IcmpHeader | undefined;
  /** What was captured after the layer 4 header; of ICMP after its first 8 bytes. */
  readonly payload: Uint8Array;
}

export interface TcpHeader {
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly syn: boolean;
  readonly ack: boolean;
  readonly fin: boolean;
  readonly rst: boolean;
  readonly mss?: number;
}

export interface IcmpHeader {
  readonly type: number;
  readonly code: number;
  /** Of echo request and reply; 0 in all others, whose headers mean something else there. */
  readonly identifier: number;
  readonly sequence: number;
  /** The packet that an error is about, of types 3 and 11. */
  readonly quoted?: QuotedPacket;
}

export interface QuotedPacket {
  readonly protocol: PacketProtocol;
  readonly source: Ipv4;
  readonly destination: Ipv4;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

export const ICMP_ECHO_REPLY = 0;
const ICMP_UNREACHABLE = 3;
export const ICMP_ECHO_REQUEST = 8;
const ICMP_TIME_EXCEEDED = 11;

const LINKTYPE_ETHERNET = 1;
export const LINKTYPE_LINUX_SLL2 = 276;
const ETHERTYPE_IPV4 = 0x0800;

const NS_PER_MS = 1_000_000n;
const ETHERNET_HEADER_BYTES = 14;
const SLL2_HEADER_BYTES = 20;

/** The IPv4 packets of a pcap file in file order; throws where the bytes are no pcap, or one of another link type. */
export function decodePcap(bytes: Uint8Array): Packet[] {
  if (bytes.length === 0) return [];
  const file = new PcapStream();
  const records = file.push(bytes);
  if (file.linkType === undefined) {
    throw new Error(`not a pcap file: ${bytes.length} bytes, its header alone has 24`);
  }
  const readFrame = FRAME_READERS.get(file.linkType);
  if (readFrame === undefined) {
    throw new Error(
      `pcap link type ${file.linkType} is not known: 276 (LINUX_SLL2) and 1 (ETHERNET) are`,
    );
  }
  return records.flatMap(({ timeNs, bytes: record }) => {
    const frame = readFrame(viewOf(record));
    const content = frame && readIpv4(frame.content);
    if (!content) return [];
    const { ifindex, direction } = frame;
    return [{ timeMs: toMs(timeNs), ifindex, direction, ...content }];
  });
}

/** The nanoseconds since the epoch are more than a number can hold. */
function toMs(timeNs: bigint): number {
  return Number(timeNs / NS_PER_MS) + Number(timeNs % NS_PER_MS) / Number(NS_PER_MS);
}

/** The header that `-i any` puts before each packet, whatever the packet is; undefined for what is too short. */
export function readCookedHeader(
  frame: Uint8Array,
): Pick<Packet, 'ifindex' | 'direction'> | undefined {
  return frame.length < SLL2_HEADER_BYTES ? undefined : readSll2Header(viewOf(frame));
}

/** The IPv4 packet behind such a header; undefined for another protocol, ARP for example. */
export function decodeCookedFrame(frame: Uint8Array): Layer3 | undefined {
  const sll2 = readSll2(viewOf(frame));
  return sll2 && readIpv4(sll2.content);
}

interface Frame {
  readonly ifindex: number;
  readonly direction: Packet['direction'];
  readonly content: DataView;
}

const FRAME_READERS = new Map([
  [LINKTYPE_LINUX_SLL2, readSll2],
  [LINKTYPE_ETHERNET, readEthernet],
]);

/** Host, broadcast, multicast, other host, outgoing: the packet types of linux/if_packet.h. */
const SLL2_DIRECTIONS: readonly Packet['direction'][] = ['in', 'in', 'in', 'other', 'out'];

function readSll2(frame: DataView): Frame | undefined {
  if (frame.byteLength < SLL2_HEADER_BYTES || frame.getUint16(0) !== ETHERTYPE_IPV4) {
    return undefined;
  }
  return { ...readSll2Header(frame), content: part(frame, SLL2_HEADER_BYTES) };
}

function readSll2Header(frame: DataView): Pick<Packet, 'ifindex' | 'direction'> {
  return {
    ifindex: frame.getUint32(4),
    direction: SLL2_DIRECTIONS[frame.getUint8(10)] ?? 'other',
  };
}

function readEthernet(frame: DataView): Frame | undefined {
  if (frame.byteLength < ETHERNET_HEADER_BYTES || frame.getUint16(12) !== ETHERTYPE_IPV4) {
    return undefined;
  }
  return { ifindex: 0, direction: 'other', content: part(frame, ETHERNET_HEADER_BYTES) };
}

type Layer3 = Omit<Packet, 'timeMs' | 'ifindex' | 'direction'>;
type Layer4 = Pick<Packet, 'sourcePort' | 'destinationPort' | 'tcp' | 'icmp' | 'payload'>;

const PROTOCOLS = new Map<number, PacketProtocol>([
  [1, 'icmp'],
  [6, 'tcp'],
  [17, 'udp'],
]);

function readIpv4(packet: DataView): Layer3 | undefined {
  if (packet.byteLength < 20 || packet.getUint8(0) >> 4 !== 4) return undefined;
  const headerBytes = (packet.getUint8(0) & 0x0f) * 4;
  if (headerBytes < 20 || headerBytes > packet.byteLength) return undefined;
  const totalBytes = packet.getUint16(2);
  // Short Ethernet frames are padded. A length of 0 is one that did not fit (BIG TCP), so that all of it counts.
  const endOfPacket = totalBytes === 0 ? packet.byteLength : totalBytes;
  const capturedBytes = Math.min(packet.byteLength, endOfPacket) - headerBytes;
  if (capturedBytes < 0) return undefined;
  const protocol = PROTOCOLS.get(packet.getUint8(9)) ?? 'other';
  const fragment = packet.getUint16(6);
  const fragmentOffset = (fragment & 0x1fff) * 8;
  return {
    protocol,
    source: fromNumber(packet.getUint32(12)),
    destination: fromNumber(packet.getUint32(16)),
    ttl: packet.getUint8(8),
    ipId: packet.getUint16(4),
    fragmentOffset,
    moreFragments: (fragment & 0x2000) !== 0,
    lengthBytes: totalBytes,
    // Only the first fragment has a layer 4 header.
    ...readLayer4(
      fragmentOffset === 0 ? protocol : 'other',
      part(packet, headerBytes, capturedBytes),
    ),
  };
}

function readLayer4(protocol: PacketProtocol, content: DataView): Layer4 {
  if (protocol === 'tcp' && content.byteLength >= 20) {
    const headerBytes = Math.max(20, (content.getUint8(12) >> 4) * 4);
    return {
      ...readPorts(content),
      tcp: readTcp(content, headerBytes),
      icmp: undefined,
      payload: bytesFrom(content, headerBytes),
    };
  }
  if (protocol === 'udp' && content.byteLength >= 8) {
    return {
      ...readPorts(content),
      tcp: undefined,
      icmp: undefined,
      payload: bytesFrom(content, 8),
    };
  }
  const ports = { sourcePort: 0, destinationPort: 0, tcp: undefined };
  if (protocol === 'icmp' && content.byteLength >= 8) {
    return { ...ports, icmp: readIcmp(content), payload: bytesFrom(content, 8) };
  }
  return { ...ports, icmp: undefined, payload: bytesFrom(content, 0) };
}

function readPorts(content: DataView): Pick<Packet, 'sourcePort' | 'destinationPort'> {
  return { sourcePort: content.getUint16(0), destinationPort: content.getUint16(2) };
}

function readTcp(segment: DataView, headerBytes: number): TcpHeader {
  const flags = segment.getUint8(13);
  const mss = readMss(segment, Math.min(headerBytes, segment.byteLength));
  return {
    sequence: segment.getUint32(4),
    acknowledgement: segment.getUint32(8),
    syn: (flags & 0x02) !== 0,
    ack: (flags & 0x10) !== 0,
    fin: (flags & 0x01) !== 0,
    rst: (flags & 0x04) !== 0,
    ...(mss !== undefined && { mss }),
  };
}

function readMss(segment: DataView, end: number): number | undefined {
  let at = 20;
  while (at + 1 < end) {
    const kind = segment.getUint8(at);
    if (kind === 0) return undefined;
    if (kind === 1) {
      at += 1;
      continue;
    }
    const optionBytes = segment.getUint8(at + 1);
    if (kind === 2 && optionBytes === 4 && at + 4 <= end) return segment.getUint16(at + 2);
    // A shorter one is broken, and with 0 we would never get on.
    if (optionBytes < 2) return undefined;
    at += optionBytes;
  }
  return undefined;
}

function readIcmp(message: DataView): IcmpHeader {
  const type = message.getUint8(0);
  const isEcho = type === ICMP_ECHO_REQUEST || type === ICMP_ECHO_REPLY;
  const isError = type === ICMP_UNREACHABLE || type === ICMP_TIME_EXCEEDED;
  const quoted = isError ? readQuoted(part(message, 8)) : undefined;
  return {
    type,
    code: message.getUint8(1),
    identifier: isEcho ? message.getUint16(4) : 0,
    sequence: isEcho ? message.getUint16(6) : 0,
    ...(quoted && { quoted }),
  };
}

/** An error quotes the IP header and at least 8 bytes more: ports, but not all of a TCP header. */
function readQuoted(packet: DataView): QuotedPacket | undefined {
  const outer = readIpv4(packet);
  if (!outer) return undefined;
  const { protocol, source, destination, fragmentOffset } = outer;
  const content = part(packet, (packet.getUint8(0) & 0x0f) * 4);
  const hasPorts =
    (protocol === 'tcp' || protocol === 'udp') && fragmentOffset === 0 && content.byteLength >= 4;
  const ports = hasPorts ? readPorts(content) : { sourcePort: 0, destinationPort: 0 };
  return { protocol, source, destination, ...ports };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function part(view: DataView, start: number, length = view.byteLength - start): DataView {
  return new DataView(view.buffer, view.byteOffset + start, length);
}

function bytesFrom(view: DataView, start: number): Uint8Array {
  const from = Math.min(start, view.byteLength);
  return new Uint8Array(view.buffer, view.byteOffset + from, view.byteLength - from);
}
