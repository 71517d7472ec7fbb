/** The wrong labs of `test/errors`, and every code that the sources can report. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { InputError, renderDiagnostic, sortDiagnostics } from '../../src/base/diagnostic.ts';
import type { LabText } from '../../src/host/lab-files.ts';
import { loadText } from '../../src/pipeline.ts';

const SOURCES = fileURLToPath(new URL('../../src', import.meta.url));
export const ERRORS = fileURLToPath(new URL('../errors', import.meta.url));

export function errorCases(): string[] {
  return readdirSync(ERRORS).sort();
}

/** A case's files, named relative to the case's directory. */
export function readCase(name: string): LabText {
  const directory = join(ERRORS, name);
  const read = (file: string): { file: string; text: string } => ({
    file,
    text: readFileSync(join(directory, file), 'utf8'),
  });
  const manifests = existsSync(join(directory, 'manifests'))
    ? readdirSync(join(directory, 'manifests')).sort()
    : [];
  return {
    name,
    directory,
    lab: read('lab.yaml'),
    manifests: manifests.map((file) => read(`manifests/${file}`)),
  };
}

/** Everything that is printed about a lab: its errors, or the warnings of a lab without any. */
export function complaints(text: LabText, sets: readonly string[] = []): string {
  const found = findDiagnostics(text, sets);
  return sortDiagnostics(found)
    .map((diagnostic) => `${renderDiagnostic(diagnostic)}\n`)
    .join('');
}

function findDiagnostics(text: LabText, sets: readonly string[]): InputError['diagnostics'] {
  try {
    return loadText(text, sets).warnings;
  } catch (error) {
    if (error instanceof InputError) return error.diagnostics;
    throw error;
  }
}

export function codesIn(text: string): string[] {
  return [...text.matchAll(/^(?:\S+: )?(?:error|warning)\[([a-z-]+)\]: /gm)].map(
    ([, code]) => code ?? '',
  );
}

/** Every place of the sources where a code is written down; more of them may pass through a variable. */
const SITES: readonly RegExp[] = [
  // diagnostics.error('code', …), also with a choice of two and over several lines.
  /\.(?:error|warning)\(\s*'([a-z-]+)'/g,
  // parsed(parse, 'code', …)
  /\bparsed\(\s*[\w.]+,\s*'([a-z-]+)'/g,
  // params: { code: 'code', … }, a Diagnostic literal, the table of Kubernetes' kinds.
  /\bcode: '([a-z-]+)'/g,
];

/** A `code:` of these files is another thing: zod's own. */
const ZODS_OWN = new Set(['custom']);

/** How often the sources hand on a code by a variable; each such place is known, and what it hands on found elsewhere. */
const BY_VARIABLE: Readonly<Record<string, string>> = {
  'k8s/manifest.ts': 'effect.code: the table in k8s/kind.ts',
  'source/schema.ts': "parameters['code']: the schemas' params.code, or wrong-value",
};

/** Each code, and the files of src that can report it. */
export function codesOfSources(): Map<string, string[]> {
  const codes = new Map<string, string[]>();
  const add = (code: string, file: string): void => {
    if (ZODS_OWN.has(code)) return;
    const files = codes.get(code) ?? [];
    if (!files.includes(file)) codes.set(code, [...files, file]);
  };
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .sort();
  for (const file of files) {
    const text = readFileSync(join(SOURCES, file), 'utf8');
    for (const site of SITES) {
      for (const [, code = ''] of text.matchAll(site)) add(code, file);
    }
    const unread = [...text.matchAll(/\bdiagnostics\.(?:error|warning)\(\s*(?!')(\S+)/g)];
    if (unread.length > 0 && BY_VARIABLE[file] === undefined) {
      throw new Error(`${file} reports a code that this test can't read: ${unread[0]?.[1] ?? ''}`);
    }
    // `typeof … ? parameters['code'] : 'wrong-value'`
    for (const [, code = ''] of text.matchAll(/\['code'\] : '([a-z-]+)'/g)) add(code, file);
  }
  return codes;
}
