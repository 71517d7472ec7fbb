/**
 * The command line's grammar: which words mean what. Nothing is done here.
 *
 * The first word is a verb, or else a lab (`hoplab scenario-4` is `hoplab run scenario-4`). What stands behind the thing
 * of `exec` belongs to the program that is to run, its flags too; it is cut off before yargs sees it, as is the filter of
 * `capture` behind `--`.
 */

import { InputError, nearest } from '../base/diagnostic.ts';
import { problem, USAGE, VALUES_OF_FLAG, type Verb, VERBS, verbs } from './verbs.ts';

export type Invocation = Verb & { readonly json: boolean; readonly verbose: boolean };

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

/** Throws an InputError for words that mean nothing. */
export async function parse(split: SplitWords, version: string): Promise<Invocation> {
  let verb: Verb | undefined;
  const found = (value: Verb): void => {
    verb = value;
  };
  const parser = verbs(split.command, found)
    .scriptName('hoplab')
    .usage('hoplab <lab>\nhoplab <verb> …')
    .option('json', { type: 'boolean', default: false, describe: 'one JSON document' })
    .option('verbose', {
      alias: 'v',
      type: 'boolean',
      default: false,
      describe: 'show the command behind it; of verify the raw lines',
    })
    .help('help')
    .alias('help', 'h')
    .version(version)
    .locale('en')
    .parserConfiguration({ 'greedy-arrays': false, 'parse-numbers': false, 'dot-notation': false })
    .recommendCommands()
    .demandCommand(1)
    .strict()
    .exitProcess(false)
    .fail(false)
    .wrap(100);
  let output = '';
  let json = false;
  let verbose = false;
  try {
    const args = await parser.parseAsync([...split.words], {}, (_error, _args, text) => {
      output = text;
    });
    ({ json, verbose } = args);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw usageError(error instanceof Error ? error.message : String(error), split);
  }
  if (output !== '') return { verb: 'help', text: output, json, verbose };
  if (verb === undefined) throw usageError('a verb or a lab is missing', split);
  return { ...verb, json, verbose };
}

const FLAGS = [
  ...['--lab', '--set', '--json', '--verbose', '--all', '--every', '--format', '--help'],
  ...['--path', '--write', '--count', '--duration'],
];

/** yargs' message in our words, with the nearest flag where one was misspelt. */
function usageError(message: string, { verb }: SplitWords): InputError {
  const usage = USAGE[(verb ?? '') as keyof typeof USAGE] as string | undefined;
  const help = usage === undefined ? 'npx hoplab --help' : `npx hoplab ${verb ?? ''} --help`;
  const unknown = /^Unknown arguments?: (.*)$/m.exec(message)?.[1]?.split(', ') ?? [];
  if (unknown.length > 0) {
    return new InputError(
      unknown.map((word) => {
        const flag = FLAGS.find((one) => one === nearest(`--${word}`, FLAGS));
        const hint = flag === undefined ? `see ${help}` : `did you mean "${flag}"? or see ${help}`;
        return problem(`${verb ?? 'hoplab'} knows no "${word}"`, hint);
      }),
    );
  }
  if (message.startsWith('Not enough non-option arguments') && usage !== undefined) {
    const missing = /<(\w+)>/.exec(usage)?.[1] ?? 'word';
    return new InputError([problem(`${verb ?? ''} needs a ${missing}`, `npx hoplab ${usage}`)]);
  }
  if (message === 'Not enough arguments following: path') {
    return new InputError([
      problem('--path takes two things', '--path pod/client internet/example.com'),
    ]);
  }
  const [first = message, ...others] = message.trim().split(/\n\s*/);
  return new InputError([problem([first, ...others].join(' '), `see ${help}`)]);
}
