/** What may stand next on a command line: pure, so that it is tested by table. */

import { COMPLETION_SHELLS, GRAPH_FORMATS, PLAN_FORMATS, VALUES_OF_FLAG, VERBS } from './verbs.ts';

/** What there is to be named. */
export interface World {
  readonly labs: readonly string[];
  readonly up: readonly {
    readonly name: string;
    readonly things: readonly string[];
    readonly probes: readonly string[];
    /** Security groups and network ACLs, by their references. */
    readonly gates: readonly string[];
  }[];
}

type Kind =
  'lab' | 'lab up' | 'thing' | 'thing or gate' | 'load balancer' | 'probe' | 'shell' | 'nothing';

const EVERYWHERE = ['--json', '--verbose', '--help'];

/** What each verb takes in the place of a plain word, and its own flags. */
const GRAMMAR: Readonly<
  Record<string, { readonly word: Kind; readonly flags: readonly string[] }>
> = {
  run: { word: 'lab', flags: ['--set'] },
  up: { word: 'lab', flags: ['--set'] },
  down: { word: 'lab up', flags: ['--all'] },
  ps: { word: 'nothing', flags: [] },
  inspect: { word: 'thing or gate', flags: ['--lab'] },
  why: { word: 'thing', flags: ['--lab', '--port', '--udp', '--icmp', '--set'] },
  probe: { word: 'probe', flags: ['--every', '--lab'] },
  matrix: { word: 'nothing', flags: ['--from', '--to', '--port', '--all', '--lab'] },
  exec: { word: 'thing', flags: ['--lab'] },
  shell: { word: 'thing', flags: ['--lab'] },
  capture: { word: 'thing', flags: ['--path', '--write', '--count', '--duration', '--lab'] },
  drops: { word: 'nothing', flags: ['--follow', '--since', '--number', '--lab'] },
  logs: { word: 'load balancer', flags: ['--follow', '--number', '--lab'] },
  verify: { word: 'nothing', flags: ['--lab'] },
  repair: { word: 'nothing', flags: ['--lab'] },
  plan: { word: 'lab', flags: ['--format', '--node', '--set'] },
  validate: { word: 'lab', flags: ['--set'] },
  graph: { word: 'lab', flags: ['--format', '--health', '--set'] },
  list: { word: 'nothing', flags: [] },
  doctor: { word: 'nothing', flags: [] },
  schema: { word: 'nothing', flags: [] },
  completion: { word: 'shell', flags: [] },
};

/** The flags that may stand behind a verb. */
export function flagsOf(verb: string): string[] {
  return [...(GRAMMAR[verb]?.flags ?? []), ...EVERYWHERE];
}

/** How many plain words a verb takes; any number where it is not here. */
const AT_MOST: Readonly<Record<string, number>> = {
  ...{ run: 1, up: 1, down: 1, inspect: 1, exec: 1, shell: 1, logs: 1 },
  ...{ plan: 1, validate: 1, graph: 1, completion: 1 },
};

/** The words that may stand in the place of the last one, which may be begun; what was typed before is `before`. */
export function completeLine(before: readonly string[], last: string, world: World): string[] {
  return candidates(before, last, world).filter((word) => word.startsWith(last) && word !== last);
}

function candidates(before: readonly string[], last: string, world: World): string[] {
  // Behind `--` stands a program or a filter, which is not ours.
  if (before.includes('--')) return [];
  const verb = before.find((word) => VERBS.includes(word));
  const flag = flagThatWaits(before);
  if (flag !== undefined) return valuesOf(flag, verb, world, before);
  if (verb === undefined) {
    if (last.startsWith('-')) return EVERYWHERE;
    return plainWords(before).length > 0 ? ['--set', ...EVERYWHERE] : [...VERBS, ...world.labs];
  }
  if (last.startsWith('-')) return flagsOf(verb);
  const words = plainWords(before).length - 1;
  if (words >= (AT_MOST[verb] ?? Number.POSITIVE_INFINITY)) return verb === 'exec' ? ['--'] : [];
  return wordsOf(GRAMMAR[verb]?.word ?? 'nothing', world, before);
}

/** A flag whose value is to come now. */
function flagThatWaits(before: readonly string[]): string | undefined {
  for (let back = 1; back <= 2; back += 1) {
    const flag = before.at(-back);
    if (flag !== undefined && (VALUES_OF_FLAG[flag] ?? 0) >= back) return flag;
  }
  return undefined;
}

function valuesOf(
  flag: string,
  verb: string | undefined,
  world: World,
  before: readonly string[],
): string[] {
  switch (flag) {
    case '-l':
    case '--lab':
      return wordsOf('lab up', world, before);
    case '--path':
    case '--from':
    case '--to':
      return wordsOf('thing', world, before);
    case '--format':
      return verb === 'graph' ? [...GRAPH_FORMATS] : [...PLAN_FORMATS];
    case '--every':
      return ['1s', '10s'];
    case '--since':
      return ['10s', '5m'];
    default:
      return [];
  }
}

function wordsOf(kind: Kind, world: World, before: readonly string[]): string[] {
  const named = before.flatMap((word, index) =>
    word === '-l' || word === '--lab' ? [before[index + 1] ?? ''] : [],
  );
  const labs = named.length === 0 ? world.up : world.up.filter(({ name }) => named.includes(name));
  switch (kind) {
    case 'lab':
      return [...world.labs];
    case 'lab up':
      return world.up.map(({ name }) => name);
    case 'thing':
      return [...new Set(labs.flatMap(({ things }) => things))];
    case 'thing or gate':
      return [
        ...new Set(
          labs.flatMap(({ things, gates }) => [...balancersOf(things), ...things, ...gates]),
        ),
      ];
    case 'load balancer': {
      const all = labs.flatMap(({ things }) => [
        ...balancersOf(things),
        ...things.filter((one) => one.startsWith('alb/')),
      ]);
      return [...new Set(all)];
    }
    case 'probe':
      return [...new Set(labs.flatMap(({ probes }) => probes))];
    case 'shell':
      return [...COMPLETION_SHELLS];
    case 'nothing':
      return [];
  }
}

/** `alb/web` of its nodes `alb/web/az-1` and so on. */
function balancersOf(things: readonly string[]): string[] {
  return things.flatMap((thing) => /^(alb\/.+)\/[^/]+$/.exec(thing)?.[1] ?? []);
}

/** Words that are neither flags nor their values, the verb or the lab among them. */
function plainWords(before: readonly string[]): string[] {
  const words: string[] = [];
  for (let index = 0; index < before.length; index += 1) {
    const word = before[index] ?? '';
    if (word.startsWith('-')) index += VALUES_OF_FLAG[word] ?? 0;
    else words.push(word);
  }
  return words;
}
