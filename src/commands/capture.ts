/** `capture [place…]`: tcpdump at one place, several, or all of a path; to the screen, to a pcapng, to Wireshark. */

import { InputError } from '../base/diagnostic.ts';
import type { CaptureInterface } from '../observe/pcapng.ts';
import * as pipeline from '../pipeline.ts';
import {
  capture as listen,
  type CaptureResult,
  type Ear,
  planFilters,
  type Sink,
} from '../probe/capture.ts';
import { renderCaptureSummary, renderPlaces } from '../report/capture.ts';
import { describeLinks, nameAddresses } from '../report/link-names.ts';
import { type CaptureArguments, readCaptureArguments } from './capture-arguments.ts';
import { jsonSink, pcapngSink, screenSink } from './capture-output.ts';
import { earsAt, placeNamed, placesOnPath } from './capture-places.ts';
import { renderArgv } from './inside.ts';
import { chooseLab, type LabUp } from './lab-choice.ts';
import type { Terminal } from './terminal.ts';
import type { CaptureVerb } from './verbs.ts';

/** A person's eye wants packets at once; a file can wait longer for a late one, and is in order all the better. */
const WINDOW_MS = { live: 100, file: 500 } as const;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export async function capture(args: CaptureVerb, terminal: Terminal): Promise<number> {
  const words = readCaptureArguments(args, terminal);
  const { options, filter, durationMs } = words;
  const up = await chooseLab(args.lab, terminal);
  const { store, sandbox } = up;
  const lab = loadFor(up, args, terminal);
  const named = args.places.map((word) => placeNamed(store, word));
  const onPath =
    args.path === undefined || lab === undefined
      ? []
      : placesOnPath(lab.cloud, args.path, terminal);
  const ears = await earsAt(sandbox, [...onPath, ...named]);
  const filters = await planFilters(sandbox, ears, filter);
  for (const [netns, expression] of terminal.verbose ? filters : []) {
    const into = ['ip', 'netns', 'exec', netns] as const;
    const argv = [...into, 'tcpdump', ...options, '-nn', '-i', 'any', expression];
    terminal.note(terminal.errorStyle.dim(renderArgv(argv)));
  }

  const ended = new AbortController();
  const end = (): void => {
    ended.abort();
  };
  const onListening = (): void => {
    terminal.note(terminal.errorStyle.dim(`listening: ${renderPlaces(ears)}; Ctrl-C ends`));
    if (durationMs !== undefined) setTimeout(end, durationMs).unref();
  };
  const order = {
    ears,
    filters,
    windowMs: args.write === undefined || args.write === '-' ? WINDOW_MS.live : WINDOW_MS.file,
    limit: args.count,
  };
  const sink = chooseSink(args, ears, words, lab, terminal);
  for (const signal of SIGNALS) process.once(signal, end);
  try {
    const result = await listen(sandbox, order, sink, { signal: ended.signal, onListening });
    return conclude(args, ears, result, terminal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, end);
  }
}

/** The model has the words and the paths. Without a path a lab whose files are being edited can be looked at too. */
function loadFor(
  { name, record }: LabUp,
  { path }: CaptureVerb,
  terminal: Terminal,
): pipeline.Lab | undefined {
  try {
    return pipeline.loadUp(name, record);
  } catch (error) {
    if (path !== undefined || !(error instanceof InputError)) throw error;
    terminal.note(`${name} can't be read as its files are now: interfaces go without descriptions`);
    return undefined;
  }
}

function chooseSink(
  { write, path, places }: CaptureVerb,
  ears: readonly Ear[],
  { options, filter }: CaptureArguments,
  lab: pipeline.Lab | undefined,
  terminal: Terminal,
): Sink {
  if (write === undefined) {
    return terminal.json ? jsonSink(ears, terminal) : screenSink(ears, options, terminal);
  }
  const words = lab === undefined ? new Map<string, string>() : describeLinks(lab.cloud);
  const interfaces = ears.map(({ place, netns, link }): CaptureInterface => {
    const description = words.get(`${netns}:${link}`) ?? `${place} ${link}`;
    return { name: `${place}:${link}`, description, filter };
  });
  const along = path === undefined ? [] : [`--path ${path.join(' ')}`];
  return pcapngSink(write, {
    comment: ['hoplab capture', ...along, ...places].join(' '),
    interfaces,
    names: lab === undefined ? [] : nameAddresses(lab.cloud),
  });
}

function conclude(
  { write }: CaptureVerb,
  ears: readonly Ear[],
  { packetsAt, dropped, isComplete }: CaptureResult,
  terminal: Terminal,
): number {
  const file = write === '-' ? undefined : write;
  const packets = packetsAt.reduce((sum, one) => sum + one, 0);
  const places = new Set(ears.filter((_, id) => (packetsAt[id] ?? 0) > 0).map((ear) => ear.place));
  terminal.note(renderCaptureSummary({ packets, places: places.size, dropped, file }));
  if (terminal.json && file !== undefined) {
    const interfaces = ears.map(({ place, link }, id) => ({
      place,
      interface: link,
      packets: packetsAt[id] ?? 0,
    }));
    terminal.printJson({ file, packets, dropped, interfaces });
  }
  if (!isComplete) terminal.note('the lab went down meanwhile');
  return isComplete ? 0 : 1;
}
