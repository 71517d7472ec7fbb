/** One process that changes the kernel: what `render` makes of steps, and what `host/apply.ts` runs. */

import type { Because } from '../base/because.ts';
import type { NetnsName } from '../base/names.ts';

export interface Line {
  readonly text: string;
  readonly because?: Because | undefined;
}

export interface Command {
  readonly phase: Phase;
  readonly netns?: NetnsName | undefined;
  /** The shell line that starts it. */
  readonly shell: string;
  /** What it reads from its standard input; undefined for a plain command. */
  readonly input?: readonly Line[] | undefined;
  /** A second command, run when the first one succeeded. */
  readonly then?: string | undefined;
  /** It leaves a process behind, which must inherit nothing of ours. */
  readonly leavesProcess?: boolean | undefined;
  /** For a command without input lines: why it runs. */
  readonly because?: Because | undefined;
  /** A sysctl's path to its cause: the shell line that writes it is no input line. */
  readonly sysctls?: ReadonlyMap<string, Because> | undefined;
}

/**
 * 0 namespaces come; 1 links go, and sets of addresses come, which rules name; 2 links, files, firewalls; 3 servers, and
 * what lies on links; 4 namespaces and sets go, and what the kernel does behind our back is waited for.
 * 5 servers that ask others as soon as they run.
 * A server binds inside namespaces, so it starts when they are there; it lets go of one before that is removed.
 */
export type Phase = 0 | 1 | 2 | 3 | 4 | 5;
export const PHASES: readonly Phase[] = [0, 1, 2, 3, 4, 5];

/** The namespace that `nsenter` switches to; unlike `ip netns exec` it copies no mount table, so its cost is constant. */
export function inNetns(netns: NetnsName): string {
  return `nsenter --net=/run/netns/${netns}`;
}
