#!/usr/bin/env node
/** The command line: words to a verb, the verb to its file (imported only then), what comes back to an exit code. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { type Diagnostic, InputError, nearest, sortDiagnostics } from './base/diagnostic.ts';
import type { Invocation } from './commands/grammar.ts';
import { OVERVIEW } from './commands/overview.ts';
import { type SplitWords, splitWords } from './commands/split-words.ts';
import { openTerminal, type Terminal } from './commands/terminal.ts';
import { VERBS } from './commands/verbs.ts';
import { PROJECT } from './host/project.ts';

const EXIT = { differs: 1, input: 2, machine: 3, exec: 125, interrupted: 130 } as const;

const argv = process.argv.slice(2);
const split = splitWords(argv);
let terminal = openTerminal(split.words.includes('--json'), false);

// Whoever read our output has seen enough (`| head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});
process.on('SIGINT', () => {
  // The terminal sends it to the program inside too, and whether that ends is the program's affair.
  if (split.verb === 'exec' || split.verb === 'shell') return;
  // A verb that has something to bring to an end does so itself; a second Ctrl-C finds nobody but us.
  if (process.listenerCount('SIGINT') > 1) return;
  terminal.progress.done();
  process.exit(EXIT.interrupted);
});

try {
  if (argv.length === 0) {
    terminal.print(OVERVIEW);
  } else if (argv[0] === '__complete') {
    const { complete } = await import('./commands/complete.ts');
    const words = await complete(argv[1] ?? '');
    if (words.length > 0) terminal.print(words.join('\n'));
  } else {
    const { parse } = await import('./commands/grammar.ts');
    const invocation = await parse(split, version());
    terminal = openTerminal(invocation.json, invocation.verbose);
    process.exitCode = await run(invocation);
  }
} catch (error) {
  const code = await explain(error, split, terminal);
  // Whoever runs `exec` in a script must be able to tell our failures from the program's.
  process.exitCode = split.verb === 'exec' ? EXIT.exec : code;
} finally {
  terminal.progress.done();
}

async function run(invocation: Invocation): Promise<number> {
  switch (invocation.verb) {
    case 'help':
      terminal.print(invocation.text);
      return 0;
    case 'run':
      return (await import('./commands/run.ts')).run(invocation, terminal);
    case 'up':
      return (await import('./commands/up.ts')).up(invocation, terminal);
    case 'down':
      return (await import('./commands/down.ts')).down(invocation, terminal);
    case 'ps':
      return (await import('./commands/ps.ts')).ps(terminal);
    case 'inspect':
      return (await import('./commands/inspect.ts')).inspect(invocation, terminal);
    case 'probe':
      return (await import('./commands/probe.ts')).probe(invocation, terminal);
    case 'why':
      return (await import('./commands/why.ts')).why(invocation, terminal);
    case 'matrix':
      return (await import('./commands/matrix.ts')).matrix(invocation, terminal);
    case 'exec':
      return (await import('./commands/exec.ts')).exec(invocation, terminal);
    case 'shell':
      return (await import('./commands/shell.ts')).shell(invocation, terminal);
    case 'plan':
      return (await import('./commands/plan.ts')).plan(invocation, terminal);
    case 'validate':
      return (await import('./commands/validate.ts')).validate(invocation, terminal);
    case 'list':
      return (await import('./commands/list.ts')).list(terminal);
    case 'verify':
      return (await import('./commands/verify.ts')).verify(invocation, terminal);
    case 'repair':
      return (await import('./commands/repair.ts')).repair(invocation, terminal);
    case 'capture':
      return (await import('./commands/capture.ts')).capture(invocation, terminal);
    case 'drops':
      return (await import('./commands/drops.ts')).drops(invocation, terminal);
    case 'logs':
      return (await import('./commands/logs.ts')).logs(invocation, terminal);
    case 'graph':
      return (await import('./commands/graph.ts')).graph(invocation, terminal);
    case 'doctor':
      return (await import('./commands/doctor.ts')).doctor(terminal);
    case 'schema':
      return (await import('./commands/schema.ts')).schema(terminal);
    case 'completion':
      return (await import('./commands/completion.ts')).completion(invocation, terminal);
  }
}

/** Says what went wrong; returns the exit code. */
async function explain(
  error: unknown,
  words: SplitWords,
  { json, ...to }: Terminal,
): Promise<number> {
  to.progress.done();
  if (error instanceof InputError) {
    const diagnostics = sortDiagnostics(error.diagnostics).map((one) => neitherVerb(one, words));
    to.diagnose(diagnostics);
    if (json) to.printJson({ diagnostics });
    return EXIT.input;
  }
  const [{ MachineError }, { KernelError }] = await Promise.all([
    import('./host/machine-error.ts'),
    import('./host/kernel-error.ts'),
  ]);
  const head = to.errorStyle.red('error:');
  if (error instanceof MachineError) {
    to.note(`${head} ${error.message}\n  hint: ${error.hint}`);
    return EXIT.machine;
  }
  if (error instanceof KernelError) {
    to.note(`${head} ${error.message}`);
    return EXIT.differs;
  }
  const { inSource } = await import('./commands/stack-trace.ts');
  const text = error instanceof Error ? inSource(error.stack ?? error.message) : String(error);
  to.note(`${head} this is a bug in hoplab\n${text}`);
  return EXIT.differs;
}

/** A first word that is no verb was taken for a lab; when it is none either, it may be a verb misspelt. */
function neitherVerb(diagnostic: Diagnostic, { isImplied, words }: SplitWords): Diagnostic {
  const word = words[1];
  if (!isImplied || diagnostic.code !== 'no-such-lab' || word === undefined) return diagnostic;
  const verb = nearest(word, VERBS);
  return {
    ...diagnostic,
    what: `"${word}" is neither a verb nor a lab`,
    hint: verb === undefined ? diagnostic.hint : `did you mean "npx hoplab ${verb}"?`,
  };
}

function version(): string {
  const file = join(PROJECT, 'package.json');
  const { version: text } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return text;
}
