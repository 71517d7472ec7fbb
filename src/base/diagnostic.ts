/**
 * What is wrong with the input, where, and how to mend it.
 *
 * A user's mistake is a value, not an exception: every stage collects all of them, and the program stops between
 * stages. Exceptions are for our own bugs and for a kernel that refuses (see `host/kernel-error.ts`).
 */

/** A place in a file that the user wrote; line and column start at 1. */
export interface SourceRef {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  /** Stable, kebab-case; each has an example under `test/errors/`. */
  readonly code: string;
  readonly at: SourceRef | undefined;
  readonly what: string;
  readonly hint: string | undefined;
}

/** `file:line:col: error[code]: what`, then `  hint: how to mend`. The first line fits editors' problem matchers. */
export function renderDiagnostic(diagnostic: Diagnostic): string {
  const { at, severity, code, what, hint } = diagnostic;
  const where = at === undefined ? '' : `${renderSourceRef(at)}: `;
  return `${where}${severity}[${code}]: ${what}${hint === undefined ? '' : `\n  hint: ${hint}`}`;
}

export function renderSourceRef(at: SourceRef): string {
  return `${at.file}:${at.line}:${at.column}`;
}

/** A growing list of diagnostics; one is handed through all of a stage. */
export class Diagnostics {
  readonly list: Diagnostic[] = [];

  error(code: string, at: SourceRef | undefined, what: string, hint?: string): void {
    this.list.push({ severity: 'error', code, at, what, hint });
  }

  warning(code: string, at: SourceRef | undefined, what: string, hint?: string): void {
    this.list.push({ severity: 'warning', code, at, what, hint });
  }

  get hasErrors(): boolean {
    return this.list.some((diagnostic) => diagnostic.severity === 'error');
  }
}

/** By file, then by position, so that a person mends a file from the top to the bottom. */
export function sortDiagnostics(list: readonly Diagnostic[]): Diagnostic[] {
  const rank = (d: Diagnostic): [string, number, number] => [
    d.at?.file ?? '',
    d.at?.line ?? 0,
    d.at?.column ?? 0,
  ];
  return [...list].sort((a, b) => {
    const [fileA, lineA, columnA] = rank(a);
    const [fileB, lineB, columnB] = rank(b);
    if (fileA !== fileB) return fileA < fileB ? -1 : 1;
    return lineA - lineB || columnA - columnB;
  });
}

/** Thrown where input can't be used at all; the command line prints the list and exits with 2. */
export class InputError extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map(renderDiagnostic).join('\n'));
    this.name = 'InputError';
    this.diagnostics = diagnostics;
  }

  /** One mistake that stands in no file: a word of the command line, a lab that is not up. */
  static of(problem: Pick<Diagnostic, 'code' | 'what' | 'hint'>): InputError {
    return new InputError([{ severity: 'error', at: undefined, ...problem }]);
  }
}

/** The nearest of `known` to a word that was not found, or undefined when none is near. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** "did you mean …", or the choices when there are few, or nothing. */
export function suggest(word: string, known: Iterable<string>): string | undefined {
  const all = [...known];
  const near = nearest(word, all);
  if (near !== undefined) return `did you mean "${near}"?`;
  if (all.length === 0) return undefined;
  return all.length <= 8 ? `known here: ${all.join(', ')}` : undefined;
}

/** Levenshtein with adjacent transpositions (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [];
  for (let i = 0; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      if (i === 0) {
        row.push(j);
        continue;
      }
      const above = rows[i - 1] ?? [];
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}
