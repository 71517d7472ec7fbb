/**
 * The command line's grammar: which words mean what. Nothing is done here.
 *
 * The first word is a verb, or else a lab (`hoplab scenario-4` is `hoplab run scenario-4`). What stands behind the thing
 * of `exec` belongs to the program that is to run, its flags too; it is cut off before yargs sees it.
 */

import yargs, { type Argv } from 'yargs';

import { type Diagnostic, InputError, nearest } from '../base/diagnostic.ts';

export type Verb =
  | { readonly verb: 'help'; readonly text: string }
  | { readonly verb: 'run' | 'up'; readonly lab: string; readonly set: readonly string[] }
  | { readonly verb: 'down'; readonly lab: string | undefined; readonly all: boolean }
  | { readonly verb: 'ps' | 'list' }
  | {
      readonly verb: 'inspect' | 'shell';
      readonly thing: string | undefined;
      readonly lab: string | undefined;
    }
  | {
      readonly verb: 'probe';
      readonly probes: readonly string[];
      readonly lab: string | undefined;
      readonly every: string | undefined;
    }
  | {
      readonly verb: 'exec';
      readonly thing: string;
      readonly command: readonly [string, ...string[]];
      readonly lab: string | undefined;
    }
  | {
      readonly verb: 'plan';
      readonly lab: string;
      readonly format: PlanFormat;
      readonly set: readonly string[];
    }
  | { readonly verb: 'validate'; readonly lab: string; readonly set: readonly string[] };

export const PLAN_FORMATS = ['text', 'sh', 'json'] as const;
export type PlanFormat = (typeof PLAN_FORMATS)[number];

export type Invocation = Verb & { readonly json: boolean; readonly verbose: boolean };

/** Each verb with its words, as the help and the messages show them. */
const USAGE = {
  run: 'run <lab>',
  up: 'up <lab>',
  down: 'down [lab]',
  ps: 'ps',
  inspect: 'inspect [thing]',
  probe: 'probe [probes..]',
  exec: 'exec <thing>',
  shell: 'shell [thing]',
  plan: 'plan <lab>',
  validate: 'validate <lab>',
  list: 'list',
} as const;

export const VERBS: readonly string[] = Object.keys(USAGE);

/** Flags that take the next word as their value. */
const VALUED = ['-l', '--lab', '--set', '--format', '--every'];

export interface SplitWords {
  /** What yargs is to read, verb first. */
  readonly words: readonly string[];
  /** The program of `exec` with its arguments. */
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
    index += VALUED.includes(word) ? 2 : 1;
  }
}

/** Throws an InputError for words that mean nothing. */
export async function parse(split: SplitWords, version: string): Promise<Invocation> {
  let verb: Verb | undefined;
  const found = (value: Verb): void => {
    verb = value;
  };
  const parser = verbs(split, found)
    .scriptName('hoplab')
    .usage('hoplab <lab>\nhoplab <verb> …')
    .option('json', { type: 'boolean', default: false, describe: 'one JSON document' })
    .option('verbose', {
      alias: 'v',
      type: 'boolean',
      default: false,
      describe: 'exec: show the command behind it',
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

function verbs({ command }: SplitWords, found: (verb: Verb) => void): Argv {
  const lab = (y: Argv) =>
    y.positional('lab', {
      type: 'string',
      demandOption: true,
      describe: 'a directory with a lab.yaml, or a name under labs/',
    });
  const patched = (y: Argv) =>
    lab(y).option('set', {
      type: 'string',
      array: true,
      default: [] as string[],
      requiresArg: true,
      describe: 'PATH=VALUE: change the lab without editing it',
    });
  const which = (y: Argv) =>
    y.option('lab', {
      alias: 'l',
      type: 'string',
      requiresArg: true,
      describe: 'which lab, where several are up (or HOPLAB_LAB)',
      coerce: (value: string | string[] | undefined) => [value].flat().at(-1),
    });
  const thing = (y: Argv) =>
    which(y).positional('thing', { type: 'string', describe: 'pod/web, node/node-1, igw, …' });
  return yargs()
    .command(USAGE.run, 'build a lab, send its probes, report; it stays up', patched, (args) => {
      found({ verb: 'run', lab: args.lab, set: args.set });
    })
    .command(USAGE.up, 'build a lab, or change the one that is up', patched, (args) => {
      found({ verb: 'up', lab: args.lab, set: args.set });
    })
    .command(
      USAGE.down,
      'take a lab down, and everything in it',
      (y) =>
        y
          .positional('lab', { type: 'string', describe: 'the lab; else the only one up' })
          .option('all', { type: 'boolean', default: false, describe: 'every lab that is up' })
          .option('l', { type: 'string', describe: 'the same as naming the lab' }),
      (args) => {
        found({ verb: 'down', lab: args.lab ?? args.l, all: args.all });
      },
    )
    .command(
      USAGE.ps,
      'the labs that are up',
      (y) => y,
      () => {
        found({ verb: 'ps' });
      },
    )
    .command(USAGE.inspect, 'what is in a lab, or what a thing is', thing, (args) => {
      found({ verb: 'inspect', thing: args.thing, lab: args.lab });
    })
    .command(
      USAGE.probe,
      'send the probes of the lab that is up again',
      (y) =>
        which(y)
          .positional('probes', { type: 'string', array: true, default: [] as string[] })
          .option('every', { type: 'string', requiresArg: true, describe: 'again and again: 1s' }),
      (args) => {
        found({ verb: 'probe', probes: args.probes, lab: args.lab, every: args.every });
      },
    )
    .command(
      USAGE.exec,
      'run a program inside a thing: exec pod/web -- ip route',
      (y) => thing(y).demandOption('thing'),
      (args) => {
        const [program, ...rest] = command;
        if (program === undefined) {
          throw new InputError([
            problem(
              'no program to run',
              `write it behind the thing: npx hoplab exec ${args.thing} -- ip route; or open a shell: npx hoplab shell ${args.thing}`,
            ),
          ]);
        }
        found({ verb: 'exec', thing: args.thing, command: [program, ...rest], lab: args.lab });
      },
    )
    .command(USAGE.shell, 'a shell in the lab, or inside a thing', thing, (args) => {
      found({ verb: 'shell', thing: args.thing, lab: args.lab });
    })
    .command(
      USAGE.plan,
      'what would be done; needs no root, builds nothing',
      (y) =>
        patched(y).option('format', {
          choices: PLAN_FORMATS,
          default: 'text' as const,
          describe: 'for people, for a shell, for programs',
        }),
      (args) => {
        const format = args['json'] === true ? 'json' : args.format;
        found({ verb: 'plan', lab: args.lab, format, set: args.set });
      },
    )
    .command(USAGE.validate, 'whether the files of a lab are well-formed', patched, (args) => {
      found({ verb: 'validate', lab: args.lab, set: args.set });
    })
    .command(
      USAGE.list,
      'the labs, and the question that each asks',
      (y) => y,
      () => {
        found({ verb: 'list' });
      },
    );
}

const FLAGS = ['--lab', '--set', '--json', '--verbose', '--all', '--every', '--format', '--help'];

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
  const [first = message, ...others] = message.trim().split(/\n\s*/);
  return new InputError([problem([first, ...others].join(' '), `see ${help}`)]);
}

function problem(what: string, hint: string): Diagnostic {
  return { severity: 'error', code: 'usage', at: undefined, what, hint };
}
