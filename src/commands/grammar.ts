/** The command line's grammar: which words mean what, and what is said of words that mean nothing. */

import { InputError, nearest } from '../base/diagnostic.ts';
import { problem, verbs } from './verb-parser.ts';
import type { SplitWords } from './split-words.ts';
import { USAGE, type Verb } from './verbs.ts';

export type Invocation = Verb & { readonly json: boolean; readonly verbose: boolean };

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
  ...['--path', '--write', '--count', '--duration', '--follow', '--since', '--number'],
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
