/** Where the packets of `capture` go: the screen, a pcapng, a line of JSON each. */

import { OutputFile } from '../host/output.ts';
import { SNAP_LENGTH } from '../host/tcpdump.ts';
import { decodeCookedFrame, LINKTYPE_LINUX_SLL2 } from '../observe/pcap.ts';
import {
  type CaptureInterface,
  enhancedPacket,
  interfaceDescription,
  type NamedAddress,
  nameResolution,
  sectionHeader,
} from '../observe/pcapng.ts';
import type { Ear, Sink } from '../probe/capture.ts';
import { type PacketLines, PacketText } from '../probe/packet-text.ts';
import { linePrefixes, packetToJson } from '../report/capture.ts';
import type { Terminal } from './terminal.ts';

export interface PcapngHead {
  readonly comment: string;
  readonly interfaces: readonly CaptureInterface[];
  readonly names: readonly NamedAddress[];
}

/** `-w FILE`, and for `-` standard output. */
export function pcapngSink(path: string, head: PcapngHead): Sink {
  const file = path === '-' ? undefined : new OutputFile(path);
  const write = (bytes: Uint8Array): void => {
    if (file === undefined) process.stdout.write(bytes);
    else file.write(bytes);
  };
  const link = { type: LINKTYPE_LINUX_SLL2, snapLength: SNAP_LENGTH };
  return {
    begin() {
      write(sectionHeader('hoplab', head.comment));
      for (const one of head.interfaces) write(interfaceDescription(one, link));
      if (head.names.length > 0) write(nameResolution(head.names));
    },
    write(packets) {
      write(Buffer.concat(packets.map(enhancedPacket)));
    },
    // Both kinds of writing are over when they return: Node writes to files and to pipes at once.
    drained: () => Promise.resolve(),
    end() {
      file?.close();
      return Promise.resolve();
    },
  };
}

/** tcpdump's lines, each behind its place and interface. */
export function screenSink(
  ears: readonly Ear[],
  options: readonly string[],
  terminal: Terminal,
): Sink {
  const prefixes = linePrefixes(ears, terminal.style);
  const lines = {
    head: ({ interfaceId, direction }, { time, text }) => {
      const way = direction === 'in' ? 'In ' : 'Out';
      terminal.print(`${prefixes[interfaceId] ?? ''}  ${way} ${time} ${text}`);
    },
    more: ({ interfaceId }, line) => {
      terminal.print(`${prefixes[interfaceId] ?? ''}  ${line}`);
    },
  } satisfies PacketLines;
  return new PacketText(options, SNAP_LENGTH, lines);
}

/** One document a line, as streams of JSON are written. */
export function jsonSink(ears: readonly Ear[], terminal: Terminal): Sink {
  const lines = {
    head: (packet, { text }) => {
      const { place, link } = ears[packet.interfaceId] ?? { place: '', link: '' };
      const content = decodeCookedFrame(packet.bytes);
      terminal.print(JSON.stringify(packetToJson(packet, { place, link, text, content })));
    },
    more: () => undefined,
  } satisfies PacketLines;
  return new PacketText([], SNAP_LENGTH, lines);
}
