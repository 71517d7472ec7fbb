/** The labs that are up (`ps`), and those that one can bring up (`list`). */

import { renderAge } from './age.ts';
import { PLAIN, type Style } from './style.ts';
import { table } from './table.ts';

export interface LabUp {
  readonly name: string;
  readonly directory: string;
  readonly since: string;
  /** What is not as usual: `being changed`, `cut off in mid-change`; empty where nothing is. */
  readonly state: string;
  readonly nodes: number;
  readonly pods: number;
  readonly netns: number;
  readonly pid: number;
}

export function renderLabsUp(labs: readonly LabUp[], nowMs: number, style: Style = PLAIN): string {
  if (labs.length === 0) return 'no lab is up; start one: npx hoplab scenario-4';
  const rows = labs.map((lab) => [
    style.bold(lab.name),
    `${renderAge(lab.since, nowMs)}${lab.state === '' ? '' : style.yellow(` (${lab.state})`)}`,
    lab.nodes,
    lab.pods,
    lab.netns,
    lab.pid,
    lab.directory,
  ]);
  return table(['NAME', 'SINCE', 'NODES', 'PODS', 'NETNS', 'PID', 'DIRECTORY'], rows, style);
}

export interface KnownLab {
  readonly name: string;
  readonly isUp: boolean;
  readonly question: string | undefined;
}

export function renderLabList(labs: readonly KnownLab[], style: Style = PLAIN): string {
  const rows = labs.map(({ name, isUp, question }) => [
    style.bold(name),
    isUp ? style.green('up') : '',
    question ?? '',
  ]);
  return table(['LAB', '', 'QUESTION'], rows, style);
}

/** The value of `question:` in a lab file, read without parsing all of it: `list` opens every lab. */
export function questionOf(labFile: string): string | undefined {
  const [, first = '', more = ''] = /^question:[ \t]*(.*)((?:\n[ \t]+.*)*)/m.exec(labFile) ?? [];
  const head = /^[>|][+-]?\d?$/.test(first.trim()) ? '' : first;
  const text = `${head} ${more}`.replaceAll(/\s+/g, ' ').trim();
  const quoted = /^(["'])(.*)\1$/.exec(text)?.[2];
  return (quoted ?? text) === '' ? undefined : (quoted ?? text);
}
