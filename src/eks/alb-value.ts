/**
 * The forms of the values that the AWS Load Balancer Controller takes in annotations: a word, a number, a list, pairs.
 *
 * @see aws-load-balancer-controller pkg/annotations/parser.go
 */

import { type Diagnostics, nearest, type SourceRef } from '../base/diagnostic.ts';
import { type Annotated, whereAnnotations } from '../k8s/object.ts';
import type { Where } from '../source/yaml.ts';

export const ALB_PREFIX = 'alb.ingress.kubernetes.io/';

/** The annotations of one object with a prefix of the controller's, by the word after it. */
export class AlbAnnotations {
  readonly #prefix: string;
  readonly #values: ReadonlyMap<string, string>;
  readonly #where: Where;
  protected readonly diagnostics: Diagnostics;

  constructor(object: Annotated, diagnostics: Diagnostics, prefix = ALB_PREFIX) {
    this.#prefix = prefix;
    this.#values = new Map(
      Object.entries(object.annotations).flatMap(([name, value]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : [],
      ),
    );
    this.#where = whereAnnotations(object);
    this.diagnostics = diagnostics;
  }

  get words(): readonly string[] {
    return [...this.#values.keys()];
  }

  text(word: string): string | undefined {
    return this.#values.get(word);
  }

  /** Where the value stands; undefined where none is written. */
  at(word: string): SourceRef | undefined {
    return this.#values.has(word) ? this.#where.at(this.#prefix + word) : undefined;
  }

  keyAt(word: string): SourceRef {
    return this.#where.keyAt(this.#prefix + word);
  }

  /** Reports `wrong-annotation`. */
  wrong(word: string, what: string, hint: string | undefined): void {
    const at = this.#where.at(this.#prefix + word);
    this.diagnostics.error('wrong-annotation', at, `${this.#prefix}${word}: ${what}`, hint);
  }

  /** Reports `alb-without-effect`. */
  withoutEffect(word: string, what: string, hint?: string): void {
    this.warn(this.#where.at(this.#prefix + word), `${this.#prefix}${word}: ${what}`, hint);
  }

  protected warn(at: SourceRef, what: string, hint: string | undefined): void {
    this.diagnostics.warning('alb-without-effect', at, what, hint);
  }

  read<T>(
    word: string,
    parse: (text: string) => T | undefined,
    expected: string,
    hint: string,
  ): T | undefined {
    const text = this.#values.get(word);
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === undefined) this.wrong(word, `"${text}" is not ${expected}`, hint);
    return value;
  }

  choice<Choice extends string>(
    word: string,
    choices: readonly Choice[],
    hint?: string,
  ): Choice | undefined {
    const text = this.#values.get(word);
    if (text === undefined) return undefined;
    const found = choices.find((one) => one === text);
    if (found === undefined) {
      const what = `"${text}" is not one of ${choices.join(', ')}`;
      this.wrong(word, what, hint ?? didYouMean(text, choices));
    }
    return found;
  }

  integer(word: string, from: number, to: number): number | undefined {
    const text = this.#values.get(word);
    if (text === undefined) return undefined;
    const value = parseInteger(text, from, to);
    if (value === undefined) {
      const hint = /^\d+[a-z]/.test(text) ? 'write the number alone' : undefined;
      this.wrong(word, `"${text}" is not a whole number from ${from} to ${to}`, hint);
    }
    return value;
  }

  boolean(word: string): boolean | undefined {
    return this.read(word, parseBoolean, '"true" or "false"', 'write "true" or "false", in quotes');
  }

  /** Names between commas. */
  list(word: string, example: string): readonly string[] | undefined {
    return this.read(
      word,
      (text) => {
        const names = splitList(text);
        return names.length === 0 ? undefined : names;
      },
      'a list of names',
      `write it like ${example}`,
    );
  }

  /** `KEY=VALUE` between commas, of the known keys; what is wrong is left out. */
  pairs(
    word: string,
    known: ReadonlyMap<string, PairForm>,
    example: string,
  ): ReadonlyMap<string, string> {
    const pairs = new Map<string, string>();
    // A comma in a value is written `\,`.
    for (const part of (this.#values.get(word) ?? '').split(/(?<!\\),/)) {
      if (part.trim() === '' && !this.#values.has(word)) continue;
      const equals = part.indexOf('=');
      const key = part.slice(0, Math.max(equals, 0)).trim();
      const value = part
        .slice(equals + 1)
        .trim()
        .replaceAll('\\,', ',');
      if (key === '') {
        this.wrong(word, `"${part.trim()}" is not KEY=VALUE`, `write it like ${example}`);
        continue;
      }
      const form = known.get(key);
      if (form === undefined) {
        this.wrong(word, `there is no attribute "${key}"`, didYouMean(key, [...known.keys()]));
      } else if (!form.isRight(value)) {
        this.wrong(word, `${key}: "${value}" is not ${form.expected}`, form.hint);
      } else {
        if (form.missing !== undefined) this.withoutEffect(word, `${key}: ${form.missing}`);
        pairs.set(key, value);
      }
    }
    return pairs;
  }
}

/** What the value of an attribute may be. */
export interface PairForm {
  isRight(value: string): boolean;
  readonly expected: string;
  readonly hint: string | undefined;
  /** What Hoplab does without it. */
  readonly missing?: string;
}

export const ANYTHING: PairForm = { isRight: () => true, expected: 'a text', hint: undefined };

export function oneOf(choices: readonly string[], hint?: string): PairForm {
  return {
    isRight: (value) => choices.includes(value),
    expected: `one of ${choices.join(', ')}`,
    hint,
  };
}

export function between(from: number, to: number, orZero = false): PairForm {
  return {
    isRight: (value) => parseInteger(value, from, to) !== undefined || (orZero && value === '0'),
    expected: `a whole number from ${from} to ${to}${orZero ? ', or 0' : ''}`,
    hint: undefined,
  };
}

/** The nearest of the words, or one that goes on where this one ends; not all of them, unlike `suggest`. */
export function didYouMean(word: string, words: readonly string[]): string | undefined {
  const near = nearest(word, words) ?? words.find((one) => one.startsWith(word));
  return near === undefined || word === '' ? undefined : `did you mean "${near}"?`;
}

export function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

export function parseInteger(text: string, from: number, to: number): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= from && value <= to ? value : undefined;
}

/** As Go's strconv.ParseBool does. */
function parseBoolean(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  return undefined;
}
