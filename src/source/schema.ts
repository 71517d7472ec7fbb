/**
 * Holds a document against a schema and reports in the user's words: every problem at once, each at its place.
 *
 * The schemas are zod's; its messages are not used, because they know neither the file nor the other keys of the map.
 */

import * as z from 'zod';

import { type Diagnostics, suggest } from '../base/diagnostic.ts';
import { isRecord, type KnownPaths, type Path, type SourceTree, valueAt } from './yaml.ts';

/** The value as the schema reads it, or undefined after reporting what is wrong with it. */
export function readWith<Schema extends z.ZodType>(
  schema: Schema,
  tree: SourceTree,
  diagnostics: Diagnostics,
  prefix: Path = [],
): z.output<Schema> | undefined {
  const result = schema.safeParse(valueAt(tree.value, prefix));
  if (result.success) return result.data;
  const { issues } = result.error;
  for (const issue of issues) {
    // A text has a length, too: that it is no list is enough.
    if (isAboutSize(issue) && issues.some((one) => isOtherType(one, issue))) continue;
    report(schema, tree, prefix, issue, diagnostics);
  }
  return undefined;
}

/** A string that a function of `base/` understands, or the complaint that `expected` names. */
export function parsed<T>(
  parse: (text: string) => T | undefined,
  code: string,
  expected: string,
  hint: string,
  /** What an editor can check while one types. */
  pattern: RegExp,
): z.ZodType<T> {
  const schema = z.unknown().transform((text, context) => {
    if (text === undefined || text === null) {
      // With our own words for what is expected, where zod has the names of types.
      context.issues.push({ code: 'invalid_type', expected: expected as 'string', input: text });
      return z.NEVER;
    }
    const value = typeof text === 'string' ? parse(text) : undefined;
    if (value !== undefined) return value;
    context.issues.push({
      code: 'custom',
      input: text,
      message: `${typeof text === 'string' ? `"${text}"` : kindOf(text)} is not ${expected}`,
      params: { code, hint },
    });
    return z.NEVER;
  });
  return schema.meta({
    type: 'string',
    pattern: pattern.source,
    description: `${expected}; ${hint}`,
  });
}

type Issue = z.core.$ZodIssue;

function isAboutSize({ code }: Issue): boolean {
  return code === 'too_big' || code === 'too_small';
}

function isOtherType(one: Issue, issue: Issue): boolean {
  return one.code === 'invalid_type' && one.path.join('.') === issue.path.join('.');
}

function report(
  schema: z.ZodType,
  tree: SourceTree,
  prefix: Path,
  issue: Issue,
  diagnostics: Diagnostics,
): void {
  const inner = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
  const path = [...prefix, ...inner];
  const name = describe(inner);
  const value = valueAt(tree.value, path);

  switch (issue.code) {
    case 'unrecognized_keys':
      for (const key of issue.keys) {
        diagnostics.error(
          'unknown-key',
          tree.keyAt([...path, key]),
          `unknown key "${key}"${inner.length === 0 ? '' : ` in ${inner.join('.')}`}`,
          suggest(key, keysAt(schema, inner)) ?? `known here: ${keysAt(schema, inner).join(', ')}`,
        );
      }
      return;
    case 'invalid_union': {
      const fitting = issue.errors.find((issues) =>
        issues.every(
          (one) =>
            one.path.length > 0 ||
            (one.code !== 'invalid_type' && (one.code !== 'invalid_value' || !isRecord(value))),
        ),
      );
      if (fitting !== undefined) {
        for (const one of fitting) {
          report(schema, tree, prefix, { ...one, path: [...issue.path, ...one.path] }, diagnostics);
        }
        return;
      }
      const choices = issue.errors.flatMap((issues) =>
        issues.flatMap((one) => (one.code === 'invalid_type' ? [article(one.expected)] : [])),
      );
      diagnostics.error(
        'wrong-type',
        tree.at(path),
        `${name} is ${kindOf(value)}, not ${[...new Set(choices)].join(' or ')}`,
      );
      return;
    }
    case 'invalid_type':
      if (value === undefined || value === null) {
        const key = inner.at(-1);
        diagnostics.error(
          'missing-key',
          tree.keyAt(value === null ? path : path.slice(0, -1)),
          inner.length === 0
            ? 'this file is empty'
            : value === null
              ? `${name} is empty`
              : `${describe(inner.slice(0, -1))} lacks "${String(key)}"`,
          `give ${article(issue.expected)}${inner.length === 0 ? '' : ` for "${String(key)}"`}`,
        );
        return;
      }
      diagnostics.error(
        'wrong-type',
        tree.at(path),
        `${name} is ${kindOf(value)}, not ${article(issue.expected)}`,
        typeHint(value, issue.expected),
      );
      return;
    case 'invalid_value': {
      const choices = issue.values.map(String);
      diagnostics.error(
        'wrong-value',
        tree.at(path),
        `${name} is ${typeof value === 'string' ? `"${value}"` : kindOf(value)}, not one of ${choices.join(', ')}`,
        typeof value === 'string' ? suggest(value, choices) : undefined,
      );
      return;
    }
    case 'too_small':
    case 'too_big':
      diagnostics.error(
        'out-of-range',
        tree.at(path),
        `${name} ${Array.isArray(value) ? `has a length of ${value.length}` : `is ${kindOf(value)}`}, which is ${
          issue.code === 'too_small'
            ? `less than ${String(issue.minimum)}`
            : `more than ${String(issue.maximum)}`
        }`,
      );
      return;
    case 'custom': {
      const parameters = isRecord(issue.params) ? issue.params : {};
      diagnostics.error(
        typeof parameters['code'] === 'string' ? parameters['code'] : 'wrong-value',
        tree.at(path),
        `${name === 'this file' ? '' : `${name}: `}${issue.message}`,
        typeof parameters['hint'] === 'string' ? parameters['hint'] : undefined,
      );
      return;
    }
    case 'invalid_key':
      // Where the key's schema has words of its own, at the key.
      for (const one of issue.issues) {
        const { code, hint } = 'params' in one && isRecord(one.params) ? one.params : {};
        if (typeof code !== 'string') continue;
        diagnostics.error(code, tree.keyAt(path), one.message, String(hint));
        return;
      }
      diagnostics.error(
        'not-a-name',
        tree.keyAt(path),
        `"${String(inner.at(-1))}" is not a name`,
        'letters, digits, ".", "_" and "-", at most 63, and a letter or digit at both ends',
      );
      return;
    case 'invalid_element':
    case 'invalid_format':
    case 'not_multiple_of':
      diagnostics.error('wrong-value', tree.at(path), `${name}: ${issue.message}`);
      return;
  }
}

function describe(path: Path): string {
  return path.length === 0 ? 'this file' : path.join('.');
}

function article(expected: string): string {
  const words: Record<string, string> = {
    object: 'a map',
    record: 'a map',
    array: 'a list',
    string: 'a text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
  };
  return words[expected] ?? expected;
}

/** YAML takes 1 for a number and "true" for a text: quotes make the difference. */
function typeHint(value: unknown, expected: string): string | undefined {
  if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
    return `write it in quotes: "${String(value)}"`;
  }
  if (expected === 'number' && typeof value === 'string' && /^\d+$/.test(value)) {
    return `write it without quotes: ${value}`;
  }
  if (expected === 'boolean' && typeof value === 'string')
    return 'write true or false, without quotes';
  return undefined;
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value === 'string') return `the text "${value}"`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value;
}

/** The keys that the schema knows at a path: what a misspelt key is compared with. */
export function keysAt(schema: z.core.$ZodType, path: Path): string[] {
  return schemasAt(schema, path).flatMap(({ def }) =>
    def.type === 'object' ? Object.keys((def as z.core.$ZodObjectDef).shape) : [],
  );
}

/** What a path may lead to that is not there yet: what the schema knows. */
export function pathsOf(schema: z.core.$ZodType): KnownPaths {
  return {
    knows: (path, key) => keysAt(schema, path).includes(key),
    isFreeMap: (path) =>
      schemasAt(schema, path).some(({ def }) => {
        if (def.type !== 'record') return false;
        const values = schemasAt((def as z.core.$ZodRecordDef).valueType, []);
        return values.every(({ def: { type } }) => !HOLDS_MORE.has(type));
      }),
  };
}

/** Whether a key that the schema does not know is refused at the path. */
export function isStrictAt(schema: z.core.$ZodType, path: Path): boolean {
  return schemasAt(schema, path).some(
    ({ def }) => (def as z.core.$ZodObjectDef).catchall?._zod.def.type === 'never',
  );
}

const HOLDS_MORE: ReadonlySet<string> = new Set(['object', 'record', 'array']);

/** Several where the schema is a union; none where it says nothing of such a place. */
function schemasAt(schema: z.core.$ZodType, path: Path): z.core.$ZodTypeInternals[] {
  const { def } = schema._zod;
  const [head, ...rest] = path;
  switch (def.type) {
    case 'object': {
      if (head === undefined) return [schema._zod];
      const child = (def as z.core.$ZodObjectDef).shape[String(head)];
      return child === undefined ? [] : schemasAt(child, rest);
    }
    case 'record':
      if (head === undefined) return [schema._zod];
      return schemasAt((def as z.core.$ZodRecordDef).valueType, rest);
    case 'array':
      if (head === undefined) return [schema._zod];
      return schemasAt((def as z.core.$ZodArrayDef).element, rest);
    case 'union':
      return (def as z.core.$ZodUnionDef).options.flatMap((option) => schemasAt(option, path));
    case 'optional':
    case 'default':
    case 'nullable':
    case 'prefault':
      return schemasAt((def as z.core.$ZodOptionalDef).innerType, path);
    case 'pipe':
      return schemasAt((def as z.core.$ZodPipeDef).in, path);
    default:
      return head === undefined ? [schema._zod] : [];
  }
}
