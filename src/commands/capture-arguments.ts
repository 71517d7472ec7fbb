/** The words of `capture` that are no places: what is asked for, or an InputError that says how it is written. */

import { InputError } from '../base/diagnostic.ts';
import { readTcpdumpWords } from '../observe/tcpdump-words.ts';
import { parseDurationMs } from '../source/scalar.ts';
import type { Terminal } from './terminal.ts';
import type { CaptureVerb } from './verbs.ts';

export interface CaptureArguments {
  /** Of tcpdump, for the text of a packet. */
  readonly options: readonly string[];
  readonly filter: string;
  readonly durationMs: number | undefined;
}

export function readCaptureArguments(args: CaptureVerb, { json }: Terminal): CaptureArguments {
  const refuse = (what: string, hint: string): never => {
    throw InputError.of({ code: 'usage', what, hint });
  };
  if (args.places.length === 0 && args.path === undefined) {
    refuse(
      'capture needs a place or a path',
      'npx hoplab capture node/node-1 nat/nat-1:eth0, or npx hoplab capture --path pod/client internet/example.com',
    );
  }
  if (args.count !== undefined && !(Number.isInteger(args.count) && args.count > 0)) {
    refuse('--count is no number of packets', 'write it like -c 10');
  }
  const durationMs = args.duration === undefined ? undefined : parseDurationMs(args.duration);
  if (args.duration !== undefined && durationMs === undefined) {
    refuse(`--duration "${args.duration}" is not a duration`, 'write it like 10s or 500ms');
  }
  if (args.write === '-' && json) {
    refuse('standard output takes the pcapng or JSON, not both', 'leave one out: -w - or --json');
  }
  if (args.write === '-' && process.stdout.isTTY) {
    refuse(
      'a pcapng is nothing for a terminal',
      'pipe it: npx hoplab capture … -w - | wireshark -k -i -',
    );
  }
  const { options, filter, refused } = readTcpdumpWords(args.filter);
  if (refused[0] !== undefined) {
    refuse(
      `capture hands no "${refused[0]}" on to tcpdump`,
      'behind "--" stands a filter, and before it what changes the text: -e -v -A -X -S -q; interfaces are named as node/node-1:eth1, a file by -w before the "--"',
    );
  }
  return { options, filter, durationMs };
}
