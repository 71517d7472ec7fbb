/**
 * Annotations of pods that only Hoplab reads: how the servers of a pod misbehave on purpose, and whether it is ready.
 *
 *     hoplab.io/delay: 2s        every answer comes this much later (at most 1h)
 *     hoplab.io/status: "503"    every HTTP answer has this status (200 to 599)
 *     hoplab.io/fails: "true"    every connection is reset
 *     hoplab.io/ready: "false"   the pod runs, but its readiness probe fails: no Service sends to it
 *     hoplab.io/terminating: "true"  the pod is being deleted and still answers: the last resort of a Service
 *
 * They stand on the pod, and for a workload on its pod template. In a real cluster they do nothing.
 *
 * @fidelity invented: Hoplab runs no images, so that what an application does has to be declared.
 * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/
 */

import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';
import type { Behaviour } from '../kernel/server.ts';
import { parseDurationMs } from '../source/scalar.ts';

const PREFIX = 'hoplab.io/';
const KNOWN = [
  'hoplab.io/delay',
  'hoplab.io/status',
  'hoplab.io/fails',
  'hoplab.io/ready',
  'hoplab.io/terminating',
];
const MAX_DELAY_MS = 3_600_000;

type Annotations = Readonly<Record<string, string>>;

interface Conduct {
  readonly behaviour: Behaviour;
  readonly ready: boolean;
  readonly terminating: boolean;
}

/** Reports `unknown-annotation` and `wrong-annotation`; `at` tells where the annotation of a name stands. */
export function readConduct(
  annotations: Annotations,
  at: { value(name: string): SourceRef; key(name: string): SourceRef },
  diagnostics: Diagnostics,
): Conduct {
  for (const name of Object.keys(annotations)) {
    if (!name.startsWith(PREFIX) || KNOWN.includes(name)) continue;
    const hint = suggest(name, KNOWN);
    diagnostics.error('unknown-annotation', at.key(name), `unknown annotation "${name}"`, hint);
  }
  const read = <T>(
    word: string,
    parse: (text: string) => T | undefined,
    expected: string,
    hint: string,
  ): T | undefined => {
    const name = PREFIX + word;
    const text = annotations[name];
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === undefined) {
      const what = `${name}: "${text}" is not ${expected}`;
      diagnostics.error('wrong-annotation', at.value(name), what, hint);
    }
    return value;
  };
  const delayMs = read(
    'delay',
    parseDelayMs,
    'a duration up to 1h',
    'write it like 300ms, 5s or 6m',
  );
  const status = read(
    'status',
    (text) => (/^[2-5]\d\d$/.test(text) ? Number(text) : undefined),
    'an HTTP status from 200 to 599',
    'write it like "503"',
  );
  const boolean = ['"true" or "false"', 'write "true" or "false", in quotes'] as const;
  const fails = read('fails', parseBoolean, ...boolean) ?? false;
  return {
    behaviour: {
      ...(status === undefined ? {} : { status }),
      ...(delayMs === undefined || delayMs === 0 ? {} : { delayMs }),
      ...(fails ? { fails } : {}),
    },
    ready: read('ready', parseBoolean, ...boolean) ?? true,
    terminating: read('terminating', parseBoolean, ...boolean) ?? false,
  };
}

/** Reports `misplaced-annotation` for those on a workload itself, where nothing would read them. */
export function checkMisplaced(
  annotations: Annotations,
  subject: string,
  keyAt: (name: string) => SourceRef,
  diagnostics: Diagnostics,
): void {
  for (const name of Object.keys(annotations).filter((one) => one.startsWith(PREFIX))) {
    diagnostics.error(
      'misplaced-annotation',
      keyAt(name),
      `annotation "${name}" is on ${subject} itself, not on its pods`,
      'put it under spec.template.metadata.annotations',
    );
  }
}

function parseDelayMs(text: string): number | undefined {
  const ms = parseDurationMs(text);
  // Neither HAProxy nor the responder takes a fraction of a millisecond.
  return ms === undefined || ms > MAX_DELAY_MS ? undefined : Math.round(ms);
}

function parseBoolean(text: string): boolean | undefined {
  return text === 'true' ? true : text === 'false' ? false : undefined;
}
