/**
 * The command line's words, before yargs sees them.
 *
 * The first word is a verb, or else a lab (`hoplab scenario-4` is `hoplab run scenario-4`). What stands behind the thing
 * of `exec` belongs to the program that is to run, its flags too; it is cut off before yargs sees it, as is the filter of
 * `capture` behind `--`.
 */

import { VALUES_OF_FLAG, VERBS } from './verbs.ts';

export interface SplitWords {
  /** What yargs is to read, verb first. */
  readonly words: readonly string[];
  /** The program of `exec` with its arguments, the filter of `capture`. */
  readonly command: readonly string[];
  readonly verb: string | undefined;
  /** The first word was no verb, so it is taken for a lab. */
  readonly isImplied: boolean;
}

export function splitWords(argv: readonly string[]): SplitWords {
  const first = nextWord(argv, 0);
  const word = argv[first];
  if (word === undefined) return { words: argv, command: [], verb: undefined, isImplied: false };
  const flags = argv.slice(0, first);
  const rest = argv.slice(first + 1);
  if (word === 'help') return splitWords([...rest, ...flags, '--help']);
  if (!VERBS.includes(word)) {
    return { words: ['run', word, ...flags, ...rest], command: [], verb: 'run', isImplied: true };
  }
  const split = { verb: word, isImplied: false };
  if (word === 'capture') {
    const end = rest.includes('--') ? rest.indexOf('--') : rest.length;
    const words = [word, ...flags, ...rest.slice(0, end)];
    return { ...split, words, command: rest.slice(end + 1) };
  }
  if (word !== 'exec') return { ...split, words: [word, ...flags, ...rest], command: [] };
  const thing = nextWord(rest, 0);
  // No program begins with a dash: what does, is still for us.
  const program = rest[thing] === '--' ? thing : nextWord(rest, thing + 1);
  const command = rest.slice(rest[program] === '--' ? program + 1 : program);
  return { ...split, words: [word, ...flags, ...rest.slice(0, program)], command };
}

/** The place of the next word that is neither a flag nor a flag's value; `--` is a word. */
function nextWord(argv: readonly string[], from: number): number {
  let index = from;
  for (;;) {
    const word = argv[index];
    if (word === undefined || word === '--' || !word.startsWith('-') || word === '-') {
      return Math.min(index, argv.length);
    }
    index += 1 + (VALUES_OF_FLAG[word] ?? 0);
  }
}
