/** labs/lab.schema.json, which editors read, is made from the schemas that read the labs, and fits the labs. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Ajv } from 'ajv';
import t from 'tap';
import { parseAllDocuments } from 'yaml';

import { builtInLabs, LABS } from '../src/host/lab-files.ts';
import { labSchema } from '../src/lab-schema.ts';
import { matchGolden } from './support/golden.ts';

const ERRORS = fileURLToPath(new URL('errors', import.meta.url));
const validate = new Ajv({ allErrors: true, strict: false }).compile(labSchema());

/** What the schema says of a lab file; of a file with several documents, of the first. */
function complaints(file: string): string[] {
  const [document] = parseAllDocuments(readFileSync(file, 'utf8'));
  if (document === undefined || !('toJS' in document) || document.errors.length > 0)
    return ['yaml'];
  validate(document.toJS());
  return (validate.errors ?? []).map(
    ({ instancePath, message }) => `${instancePath} ${message ?? ''}`,
  );
}

t.test('labs/lab.schema.json is what `hoplab schema` prints', async (t) => {
  const text = `${JSON.stringify(labSchema(), undefined, 2)}\n`;
  matchGolden(t, text, join(LABS, 'lab.schema.json'), 'schema');
});

t.test('every key of a lab file is explained', async (t) => {
  const silent: string[] = [];
  const look = (schema: unknown, path: string): void => {
    if (typeof schema !== 'object' || schema === null) return;
    for (const [key, value] of Object.entries(schema)) {
      if (key === 'properties') {
        for (const [name, property] of Object.entries(value as Record<string, object>)) {
          if (!('description' in property)) silent.push(`${path}.${name}`);
        }
      }
      look(value, key === 'properties' ? path : `${path}.${key}`);
    }
  };
  look(labSchema(), '');
  t.strictSame(silent, []);
});

for (const name of builtInLabs()) {
  t.test(`an editor finds nothing wrong with ${name}, and finds the schema`, async (t) => {
    const file = join(LABS, name, 'lab.yaml');
    t.strictSame(complaints(file), []);
    t.match(
      readFileSync(file, 'utf8'),
      /^# yaml-language-server: \$schema=\.\.\/lab\.schema\.json$/m,
    );
  });
}

/** Mistakes of shape, which a schema can see; what refers to what, and which addresses overlap, it can't. */
const OF_SHAPE = [
  'unknown-key',
  'wrong-type',
  'missing-key',
  'not-a-duration',
  'not-a-name',
  'not-a-map',
];

t.test('an editor sees the mistakes of shape that hoplab reports', async (t) => {
  const cases = readdirSync(ERRORS).filter((name) => OF_SHAPE.includes(name));
  t.strictSame(cases, [...OF_SHAPE].sort());
  for (const name of cases) {
    const file = join(ERRORS, name, 'lab.yaml');
    t.ok(existsSync(file) && complaints(file).length > 0, basename(name));
  }
});
