/**
 * tcpdump's own text of packets that were captured elsewhere: one tcpdump reads them from a pipe in their order and prints
 * them, each with its number, by which its lines are known.
 */

import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { startStreaming, type Streaming } from '../host/exec.ts';
import { LINKTYPE_LINUX_SLL2 } from '../observe/pcap.ts';
import { pcapHeader, pcapRecord } from '../observe/pcap-stream.ts';
import type { CapturePacket } from '../observe/pcapng.ts';
import { type HeadLine, readHeadLine } from '../observe/tcpdump-words.ts';
import type { Sink } from './capture.ts';

export interface PacketLines {
  /** The first line of a packet. */
  head(packet: CapturePacket, line: HeadLine): void;
  /** A further one, as tcpdump prints with -v or -X. */
  more(packet: CapturePacket, line: string): void;
}

export class PacketText implements Sink {
  readonly #tcpdump: Streaming;
  readonly #printing: Promise<void>;
  readonly #waiting: CapturePacket[] = [];
  readonly #snapLength: number;

  constructor(options: readonly string[], snapLength: number, lines: PacketLines) {
    this.#snapLength = snapLength;
    this.#tcpdump = startStreaming(['tcpdump', ...options, '-nn', '-l', '--number', '-r', '-']);
    this.#tcpdump.stderr.resume();
    this.#printing = this.#print(lines);
  }

  begin(): void {
    this.#tcpdump.stdin.write(pcapHeader(LINKTYPE_LINUX_SLL2, this.#snapLength));
  }

  write(packets: readonly CapturePacket[]): void {
    this.#waiting.push(...packets);
    this.#tcpdump.stdin.write(Buffer.concat(packets.map(pcapRecord)));
  }

  async drained(): Promise<void> {
    const { stdin } = this.#tcpdump;
    if (stdin.writableNeedDrain) await Promise.race([once(stdin, 'drain'), this.#tcpdump.ended]);
  }

  async end(): Promise<void> {
    this.#tcpdump.stdin.end();
    await this.#printing;
    await this.#tcpdump.ended;
  }

  async #print(lines: PacketLines): Promise<void> {
    let number = 0;
    let packet: CapturePacket | undefined;
    for await (const line of createInterface({ input: this.#tcpdump.stdout })) {
      const head = readHeadLine(line, number + 1);
      if (head !== undefined) {
        number += 1;
        packet = this.#waiting.shift();
        if (packet !== undefined) lines.head(packet, head);
      } else if (packet !== undefined) lines.more(packet, line);
    }
  }
}
