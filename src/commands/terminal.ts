/** What a command says and where: results on standard output, everything else on standard error. */

import type { Diagnostic } from '../base/diagnostic.ts';
import { renderDiagnostic } from '../base/diagnostic.ts';
import { COLOURED, PLAIN, type Style } from '../report/style.ts';

export interface Terminal {
  readonly json: boolean;
  readonly verbose: boolean;
  /** For standard output; `errorStyle` for standard error. */
  readonly style: Style;
  readonly errorStyle: Style;
  /** The width of standard output; undefined for a pipe or a file. */
  readonly columns: number | undefined;
  /** A person sits at both ends. */
  readonly isInteractive: boolean;
  /** One line that says what is going on; it is overwritten, and never written into a pipe. */
  readonly progress: { step(what: string): void; note(what: string): void; done(): void };
  print(text: string): void;
  printJson(value: unknown): void;
  /** A line for the person, on standard error. */
  note(text: string): void;
  diagnose(diagnostics: readonly Diagnostic[]): void;
}

/** Node's own hasColors knows NO_COLOR, FORCE_COLOR and TERM. */
function styleOf(stream: NodeJS.WriteStream): Style {
  return stream.isTTY && stream.hasColors() ? COLOURED : PLAIN;
}

const CLEAR_LINE = '\r\u001B[2K';

export function openTerminal(json: boolean, verbose: boolean): Terminal {
  const { stdin, stdout, stderr } = process;
  const style = styleOf(stdout);
  const errorStyle = styleOf(stderr);
  let hasLine = false;
  const clear = (): void => {
    if (hasLine) stderr.write(CLEAR_LINE);
    hasLine = false;
  };
  const print = (text: string): void => {
    clear();
    stdout.write(`${text}\n`);
  };
  const note = (text: string): void => {
    clear();
    stderr.write(`${text}\n`);
  };
  const step = (what: string): void => {
    if (!stderr.isTTY) return;
    stderr.write(`${CLEAR_LINE}${errorStyle.dim(`${what} …`)}`);
    hasLine = true;
  };
  return {
    json,
    verbose,
    style,
    errorStyle,
    columns: stdout.isTTY ? stdout.columns : undefined,
    isInteractive: stdin.isTTY && stdout.isTTY,
    progress: { step, note, done: clear },
    print,
    printJson(value) {
      print(JSON.stringify(value, undefined, 2));
    },
    note,
    diagnose(diagnostics) {
      for (const one of diagnostics) {
        const colour = one.severity === 'error' ? errorStyle.red : errorStyle.yellow;
        const word = `${one.severity}[${one.code}]`;
        note(renderDiagnostic(one).replace(word, () => colour(word)));
      }
    },
  };
}
