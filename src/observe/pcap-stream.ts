/**
 * Reads the pcap that tcpdump writes into a pipe (`-w -`) while it is being written.
 *
 * What arrives ends anywhere, in the middle of a header too; what is not whole yet waits for the next chunk. Times are
 * nanoseconds, because a packet passes several hops within a microsecond.
 *
 * @see draft-ietf-opsawg-pcap: file header, record header, both magic numbers.
 */

export interface CapturedFrame {
  /** Since the epoch. */
  readonly timeNs: bigint;
  /** On the wire; `bytes` may be fewer. */
  readonly originalBytes: number;
  readonly bytes: Uint8Array;
}

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const NS_PER_SECOND = 1_000_000_000n;

/** What a record's fraction of a second counts, as the magic number says. */
const FRACTION_NS = new Map([
  [0xa1b2c3d4, 1000n],
  [0xa1b23c4d, 1n],
]);

export class PcapStream {
  #rest: Uint8Array = new Uint8Array();
  #format: Format | undefined;

  /** What the frames begin with (LINKTYPE_…); undefined as long as the file's header is not whole. */
  get linkType(): number | undefined {
    return this.#format?.linkType;
  }

  /** The frames that are whole now, in their order; throws where the bytes are no pcap. */
  push(chunk: Uint8Array): CapturedFrame[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    if (this.#format === undefined) {
      if (bytes.length < FILE_HEADER_BYTES) {
        this.#rest = bytes;
        return [];
      }
      this.#format = readFormat(view);
      at = FILE_HEADER_BYTES;
    }
    const { littleEndian, fractionNs } = this.#format;
    const frames: CapturedFrame[] = [];
    while (at + RECORD_HEADER_BYTES <= bytes.length) {
      const start = at + RECORD_HEADER_BYTES;
      const end = start + view.getUint32(at + 8, littleEndian);
      if (end > bytes.length) break;
      const seconds = BigInt(view.getUint32(at, littleEndian));
      const fraction = BigInt(view.getUint32(at + 4, littleEndian));
      frames.push({
        timeNs: seconds * NS_PER_SECOND + fraction * fractionNs,
        originalBytes: view.getUint32(at + 12, littleEndian),
        bytes: bytes.subarray(start, end),
      });
      at = end;
    }
    this.#rest = bytes.subarray(at);
    return frames;
  }
}

interface Format {
  readonly littleEndian: boolean;
  readonly fractionNs: bigint;
  readonly linkType: number;
}

function readFormat(header: DataView): Format {
  for (const littleEndian of [true, false]) {
    const fractionNs = FRACTION_NS.get(header.getUint32(0, littleEndian));
    if (fractionNs === undefined) continue;
    // The upper 16 bits tell of a frame check sequence.
    return { littleEndian, fractionNs, linkType: header.getUint32(20, littleEndian) & 0xffff };
  }
  const magic = header.getUint32(0).toString(16).padStart(8, '0');
  throw new Error(`not a pcap file: it begins with 0x${magic}`);
}

/** The other way round: what a tcpdump that reads (`-r -`) takes. */
export function pcapHeader(linkType: number, snapLength: number): Uint8Array {
  const bytes = new Uint8Array(FILE_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xa1b23c4d, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, snapLength, true);
  view.setUint32(20, linkType, true);
  return bytes;
}

export function pcapRecord({ timeNs, originalBytes, bytes }: CapturedFrame): Uint8Array {
  const record = new Uint8Array(RECORD_HEADER_BYTES + bytes.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, Number(timeNs / NS_PER_SECOND), true);
  view.setUint32(4, Number(timeNs % NS_PER_SECOND), true);
  view.setUint32(8, bytes.length, true);
  view.setUint32(12, originalBytes, true);
  record.set(bytes, RECORD_HEADER_BYTES);
  return record;
}
