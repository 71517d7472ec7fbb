/**
 * Listens at several places of a lab at once and hands their packets on in one order of time.
 *
 * Memory is bounded: packets wait for a moment to be put in order, and while whoever takes them is behind, nothing is
 * read; then the kernel drops, and says how many.
 */

import { checkFilter, endTcpdumps, startTcpdump, type Tcpdump } from '../host/tcpdump.ts';
import type { Sandbox } from '../host/sandbox.ts';
import { readCookedHeader } from '../observe/pcap.ts';
import { PcapStream } from '../observe/pcap-stream.ts';
import type { CapturePacket } from '../observe/pcapng.ts';
import { Reorder } from '../observe/reorder.ts';
import { filterOfLinks } from '../observe/tcpdump-words.ts';

/** A link at which one listens. */
export interface Ear {
  readonly place: string;
  readonly netns: string;
  readonly link: string;
  readonly index: number;
}

/** Where packets go. */
export interface Sink {
  /** Everything listens now, and packets may come. */
  begin(): void;
  write(packets: readonly CapturePacket[]): void;
  /** Waits while there is too much under way. */
  drained(): Promise<void>;
  /** Waits until all is written. */
  end(): Promise<void>;
}

export interface CaptureResult {
  /** By the number of the ear. */
  readonly packetsAt: readonly number[];
  readonly dropped: number;
  /** True when it was told to end, or had its packets; false when the lab went away. */
  readonly isComplete: boolean;
}

const POLL_MS = 20;
const QUIET_MS = 50;
const NS_PER_MS = 1_000_000n;

export interface CaptureOrder {
  readonly ears: readonly Ear[];
  /** Of each namespace: what tcpdump is given there. */
  readonly filters: ReadonlyMap<string, string>;
  /** How long a packet waits for earlier ones of other places. */
  readonly windowMs: number;
  readonly limit: number | undefined;
}

/** Of each namespace the filter that lets through its ears' packets alone; throws an InputError for a wrong one. */
export async function planFilters(
  sandbox: Sandbox,
  ears: readonly Ear[],
  filter: string,
): Promise<Map<string, string>> {
  if (filter !== '') await checkFilter(sandbox, filter);
  const netnses = [...new Set(ears.map(({ netns }) => netns))];
  return new Map(
    netnses.map((netns) => {
      const here = ears.filter((ear) => ear.netns === netns);
      return [
        netns,
        filterOfLinks(
          here.map(({ index }) => index),
          filter,
        ),
      ];
    }),
  );
}

/** Until the signal, the limit, or the end of the lab. */
export async function capture(
  sandbox: Sandbox,
  order: CaptureOrder,
  sink: Sink,
  { signal, onListening }: { readonly signal: AbortSignal; readonly onListening: () => void },
): Promise<CaptureResult> {
  const session = new Session(order, sink);
  const tcpdumps = [...order.filters].map(([netns, filter]) =>
    startTcpdump(sandbox, netns, filter, order.filters.size),
  );
  const reading = Promise.all(tcpdumps.map((one) => session.read(one)));
  const end = ended(signal);
  let isComplete = true;
  try {
    try {
      await Promise.race([Promise.all(tcpdumps.map(({ listens }) => listens)), end]);
      // Also where it is told to end this early: what is written is a whole file.
      sink.begin();
      session.start();
      if (!signal.aborted) onListening();
      const lost = reading.then(() => false);
      isComplete = await Promise.race([end, session.done, lost]);
    } finally {
      await endTcpdumps(sandbox, tcpdumps);
      session.stop();
    }
    await reading;
    session.flush();
  } finally {
    await sink.end();
  }
  const dropped = tcpdumps.reduce((sum, one) => sum + one.dropped, 0);
  return { packetsAt: session.packetsAt, dropped, isComplete };
}

class Session {
  readonly packetsAt: number[];
  /** That the limit is reached; rejects when packets can't be written. */
  readonly done: Promise<true>;
  readonly #order: CaptureOrder;
  readonly #sink: Sink;
  readonly #waiting = new Reorder<CapturePacket>();
  /** Of each namespace its last packet, and when it was read. */
  readonly #heads = new Map<string, { readonly timeNs: bigint; readonly readAtMs: number }>();
  readonly #idOf: ReadonlyMap<string, number>;
  /** Before this not all of the places listened yet: what shows at one of them is missing at the next. */
  #sinceNs = 0n;
  #left: number;
  #timer: NodeJS.Timeout | undefined;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(order: CaptureOrder, sink: Sink) {
    this.#order = order;
    this.#sink = sink;
    this.#left = order.limit ?? Infinity;
    this.packetsAt = order.ears.map(() => 0);
    this.#idOf = new Map(order.ears.map(({ netns, index }, id) => [`${netns}/${index}`, id]));
    this.done = new Promise((resolve, reject) => {
      this.#resolve = () => {
        resolve(true);
      };
      this.#reject = reject;
    });
    // Whoever ends the session otherwise does not wait for it.
    this.done.catch(() => undefined);
  }

  async read({ netns, stdout }: Tcpdump): Promise<void> {
    const stream = new PcapStream();
    for await (const chunk of stdout) {
      for (const frame of stream.push(chunk as Buffer)) {
        const header = readCookedHeader(frame.bytes);
        const interfaceId = this.#idOf.get(`${netns}/${header?.ifindex ?? 0}`);
        if (header === undefined || interfaceId === undefined) continue;
        // To a bridge's port every frame that comes in is for somebody else.
        const direction = header.direction === 'out' ? 'out' : 'in';
        this.#heads.set(netns, { timeNs: frame.timeNs, readAtMs: Date.now() });
        this.#waiting.push(frame.timeNs, { ...frame, interfaceId, direction });
      }
      await this.#sink.drained();
    }
  }

  start(): void {
    if (this.#order.filters.size > 1) this.#sinceNs = BigInt(Date.now()) * NS_PER_MS;
    this.#timer = setInterval(() => {
      // What has arrived meanwhile is read first: a turn of the event loop runs timers before it reads.
      setImmediate(() => {
        try {
          this.#hand(this.#waiting.release(this.#horizon()));
        } catch (error) {
          this.#reject(error);
        }
      });
    }, POLL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  flush(): void {
    this.#hand(this.#waiting.flush());
  }

  /**
   * Up to when everything is there. What is being read right now comes in its order, so nothing earlier than its last
   * packet is to come; whoever has said nothing for a moment had nothing to say, unless it is later than the window.
   */
  #horizon(): bigint {
    const nowMs = Date.now();
    const heads = [...this.#heads.values()].filter(({ readAtMs }) => nowMs - readAtMs < QUIET_MS);
    const windowNs = BigInt(nowMs - this.#order.windowMs) * NS_PER_MS;
    return heads.reduce((least, { timeNs }) => (timeNs < least ? timeNs : least), windowNs);
  }

  #hand(waiting: readonly CapturePacket[]): void {
    const packets = waiting.filter((one) => one.timeNs >= this.#sinceNs).slice(0, this.#left);
    if (packets.length > 0) this.#sink.write(packets);
    this.#left -= packets.length;
    for (const { interfaceId } of packets) {
      this.packetsAt[interfaceId] = (this.packetsAt[interfaceId] ?? 0) + 1;
    }
    if (this.#left === 0) this.#resolve();
  }
}

function ended(signal: AbortSignal): Promise<true> {
  return new Promise((resolve) => {
    const end = (): void => {
      resolve(true);
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end);
  });
}
