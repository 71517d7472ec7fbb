/**
 * Writes pcapng, block by block: one file for the packets of many interfaces, each with a name of its own.
 *
 * A file is a section header, a description of every interface, and then packets. Each block is whole in itself, so that
 * a file which ends after any of them can be read.
 *
 * @see draft-ietf-opsawg-pcapng-03 section 4.1 (section header), 4.2 (interface description), 4.3 (enhanced packet),
 *   4.5 (name resolution)
 */

import type { Ipv4 } from '../base/ip.ts';

export interface CaptureInterface {
  readonly name: string;
  readonly description: string;
  /** As tcpdump took it; empty for everything. */
  readonly filter: string;
}

export interface CapturePacket {
  /** The how-manieth of the interfaces described, from 0. */
  readonly interfaceId: number;
  readonly timeNs: bigint;
  readonly originalBytes: number;
  readonly bytes: Uint8Array;
  readonly direction: 'in' | 'out';
}

/** An address, and what it is called: Wireshark shows the name with View > Name Resolution > network addresses. */
export interface NamedAddress {
  readonly address: Ipv4;
  readonly name: string;
}

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const NAME_RESOLUTION = 4;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Nobody knows how long the section becomes: it is written as a stream. */
const UNKNOWN_LENGTH = 0xffff_ffff_ffff_ffffn;
const NAME_RECORD_IPV4 = 1;

const OPTION = {
  comment: 1,
  userApplication: 4,
  interfaceName: 2,
  interfaceDescription: 3,
  timestampResolution: 9,
  interfaceFilter: 11,
  packetFlags: 2,
} as const;
const PACKET_HEADER_BYTES = 28;
/** One option with four bytes, the end of the options, the length again. */
const PACKET_TRAILER_BYTES = 16;
/** Timestamps count units of 10^-9 seconds. */
const NANOSECONDS = 9;
/** The lowest two bits of a packet's flags. */
const DIRECTIONS = { in: 1, out: 2 } as const;

export function sectionHeader(application: string, comment: string): Uint8Array {
  return block(
    SECTION_HEADER,
    uint32(BYTE_ORDER_MAGIC),
    uint16(1),
    uint16(0),
    uint64(UNKNOWN_LENGTH),
    options([OPTION.comment, text(comment)], [OPTION.userApplication, text(application)]),
  );
}

export function interfaceDescription(
  { name, description, filter }: CaptureInterface,
  link: { readonly type: number; readonly snapLength: number },
): Uint8Array {
  // The first byte says what the filter is: 0 for the words that libpcap compiles.
  const filterValue = Buffer.concat([Uint8Array.of(0), text(filter)]);
  return block(
    INTERFACE_DESCRIPTION,
    uint16(link.type),
    uint16(0),
    uint32(link.snapLength),
    options(
      [OPTION.interfaceName, text(name)],
      [OPTION.interfaceDescription, text(description)],
      [OPTION.timestampResolution, Uint8Array.of(NANOSECONDS)],
      ...(filter === '' ? [] : [[OPTION.interfaceFilter, filterValue] as const]),
    ),
  );
}

export function nameResolution(names: readonly NamedAddress[]): Uint8Array {
  const records = names.map(({ address, name }) => {
    const octets = Uint8Array.from(address.split('.').map(Number));
    return option(NAME_RECORD_IPV4, Buffer.concat([octets, text(name), Uint8Array.of(0)]));
  });
  return block(NAME_RESOLUTION, ...records, uint32(0));
}

/** In one piece, because there are many of them. */
export function enhancedPacket(packet: CapturePacket): Uint8Array {
  const { interfaceId, timeNs, originalBytes, bytes, direction } = packet;
  const end = PACKET_HEADER_BYTES + Math.ceil(bytes.length / 4) * 4;
  const length = end + PACKET_TRAILER_BYTES;
  const block = new Uint8Array(length);
  const view = new DataView(block.buffer);
  view.setUint32(0, ENHANCED_PACKET, true);
  view.setUint32(4, length, true);
  view.setUint32(8, interfaceId, true);
  view.setUint32(12, Number(timeNs >> 32n), true);
  view.setUint32(16, Number(timeNs & 0xffff_ffffn), true);
  view.setUint32(20, bytes.length, true);
  view.setUint32(24, originalBytes, true);
  block.set(bytes, PACKET_HEADER_BYTES);
  view.setUint16(end, OPTION.packetFlags, true);
  view.setUint16(end + 2, 4, true);
  view.setUint32(end + 4, DIRECTIONS[direction], true);
  view.setUint32(length - 4, length, true);
  return block;
}

/** Type, length, body, and the length again, so that a file can also be read backwards. */
function block(type: number, ...body: readonly Uint8Array[]): Uint8Array {
  const length = uint32(12 + body.reduce((sum, part) => sum + part.length, 0));
  return Buffer.concat([uint32(type), length, ...body, length]);
}

function options(...list: readonly (readonly [code: number, value: Uint8Array])[]): Uint8Array {
  return Buffer.concat([...list.map(([code, value]) => option(code, value)), uint32(0)]);
}

function option(code: number, value: Uint8Array): Uint8Array {
  return Buffer.concat([uint16(code), uint16(value.length), padded(value)]);
}

/** To a multiple of four bytes. */
function padded(bytes: Uint8Array): Uint8Array {
  const missing = (4 - (bytes.length % 4)) % 4;
  return missing === 0 ? bytes : Buffer.concat([bytes, new Uint8Array(missing)]);
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function uint16(value: number): Uint8Array {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setUint16(0, value, true);
  return bytes;
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function uint64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}
