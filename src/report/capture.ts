/** What `capture` says: where it listens, each packet, and what came of it. */

import type { CapturePacket } from '../observe/pcapng.ts';
import type { Packet } from '../observe/pcap.ts';
import { count, type Style } from './style.ts';

const NS_PER_SECOND = 1_000_000_000n;

type PacketContent = Pick<
  Packet,
  'protocol' | 'source' | 'destination' | 'sourcePort' | 'destinationPort' | 'ttl' | 'lengthBytes'
>;

interface Place {
  readonly place: string;
  readonly link: string;
}

/** `pod/client eth0, vpc/main nat-1-eth0 igw`: each place with its links. */
export function renderPlaces(interfaces: readonly Place[]): string {
  const places = [...new Set(interfaces.map(({ place }) => place))];
  return places
    .map((place) => {
      const links = interfaces.filter((one) => one.place === place).map(({ link }) => link);
      return [place, ...links].join(' ');
    })
    .join(', ');
}

/** What stands before the lines of each interface: all of one width, each place in a colour of its own. */
export function linePrefixes(interfaces: readonly Place[], style: Style): string[] {
  const colours = [
    style.cyan,
    style.yellow,
    style.green,
    style.magenta,
    style.blue,
    style.red,
  ] as const;
  const places = [...new Set(interfaces.map(({ place }) => place))];
  const width = (words: readonly string[]): number =>
    Math.max(0, ...words.map(({ length }) => length));
  const placeWidth = width(places);
  const linkWidth = width(interfaces.map(({ link }) => link));
  return interfaces.map(({ place, link }) => {
    const colour = colours[places.indexOf(place) % colours.length] ?? style.cyan;
    return colour(`${place.padEnd(placeWidth)} ${link.padEnd(linkWidth)}`);
  });
}

export interface CaptureSummary {
  readonly packets: number;
  /** Where at least one packet was seen. */
  readonly places: number;
  readonly dropped: number;
  readonly file: string | undefined;
}

/** `12 packets at 5 places; 3 dropped by the kernel; written to x.pcapng`. */
export function renderCaptureSummary({ packets, places, dropped, file }: CaptureSummary): string {
  const seen =
    packets === 0 ? 'no packets' : `${count(packets, 'packet')} at ${count(places, 'place')}`;
  return [
    seen,
    ...(dropped === 0 ? [] : [`${dropped} dropped by the kernel`]),
    ...(file === undefined ? [] : [`written to ${file}`]),
  ].join('; ');
}

/** A packet as one line of JSON says it; `content` is there for IPv4. */
export function packetToJson(
  packet: CapturePacket,
  seen: {
    readonly place: string;
    readonly link: string;
    readonly text: string;
    readonly content: PacketContent | undefined;
  },
): object {
  const { content } = seen;
  const seconds = packet.timeNs / NS_PER_SECOND;
  const fraction = String(packet.timeNs % NS_PER_SECOND).padStart(9, '0');
  return {
    // Seconds since the epoch, as text: a number would lose the nanoseconds.
    time: `${seconds}.${fraction}`,
    place: seen.place,
    interface: seen.link,
    direction: packet.direction,
    ...(content === undefined
      ? {}
      : {
          protocol: content.protocol,
          source: content.source,
          destination: content.destination,
          ...(content.sourcePort === 0 && content.destinationPort === 0
            ? {}
            : { sourcePort: content.sourcePort, destinationPort: content.destinationPort }),
          ttl: content.ttl,
          lengthBytes: content.lengthBytes,
        }),
    text: seen.text,
  };
}
