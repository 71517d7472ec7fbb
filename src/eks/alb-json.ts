/**
 * JSON in an annotation, as Go reads it into a struct: keys in any case, a number is no text, and what is not known is left
 * alone. Each mistake is reported at the annotation with the path that leads to it in the JSON.
 */

import { isRecord } from '../source/yaml.ts';
import { type AlbAnnotations, didYouMean } from './alb-value.ts';

/** A value in the JSON of an annotation. */
export class AlbJson {
  readonly #value: unknown;
  readonly #annotations: AlbAnnotations;
  readonly #word: string;
  readonly #path: string;

  private constructor(annotations: AlbAnnotations, word: string, value: unknown, path: string) {
    this.#annotations = annotations;
    this.#word = word;
    this.#value = value;
    this.#path = path;
  }

  /** Undefined where the annotation is not there, or after reporting that it is no JSON. */
  static parse(annotations: AlbAnnotations, word: string, example: string): AlbJson | undefined {
    const text = annotations.text(word);
    if (text === undefined) return undefined;
    try {
      return new AlbJson(annotations, word, JSON.parse(text), '');
    } catch {
      annotations.wrong(word, 'this is not JSON', `write it like ${example}`);
      return undefined;
    }
  }

  get isThere(): boolean {
    return this.#value !== undefined && this.#value !== null;
  }

  wrong(what: string, hint?: string): void {
    const subject = this.#path === '' ? '' : `${this.#path} `;
    this.#annotations.wrong(this.#word, `${subject}${what}`, hint);
  }

  /** The members of a map; a key that is not known is named in a warning. */
  members<Key extends string>(known: readonly Key[]): Readonly<Record<Key, AlbJson>> | undefined {
    if (!isRecord(this.#value)) {
      this.wrong(`is ${shown(this.#value)}, not a map {…}`);
      return undefined;
    }
    const values = new Map<Key, unknown>();
    for (const [key, value] of Object.entries(this.#value)) {
      const found = known.find((one) => one.toLowerCase() === key.toLowerCase());
      if (found !== undefined) values.set(found, value);
      else {
        const inside = this.#path === '' ? '' : ` in ${this.#path}`;
        this.#annotations.withoutEffect(
          this.#word,
          `there is no "${key}"${inside}, it is not read`,
          didYouMean(key, known) ?? `known here: ${known.join(', ')}`,
        );
      }
    }
    return Object.fromEntries(known.map((key) => [key, this.#in(key, values.get(key))])) as Record<
      Key,
      AlbJson
    >;
  }

  /** The elements of a list that has at least one. */
  elements(): readonly AlbJson[] | undefined {
    const values: unknown = this.#value;
    if (!Array.isArray(values) || values.length === 0) {
      this.wrong(
        `is ${Array.isArray(values) ? 'an empty list' : `${shown(values)}, not a list […]`}`,
      );
      return undefined;
    }
    return values.map((value: unknown, index) => this.#in(String(index), value));
  }

  text(): string | undefined {
    const value = this.#value;
    if (typeof value === 'string') return value;
    const hint = typeof value === 'number' ? `write it in quotes: "${value}"` : undefined;
    this.wrong(`is ${shown(value)}, not a text`, hint);
    return undefined;
  }

  choice<Choice extends string>(choices: readonly Choice[]): Choice | undefined {
    const text = this.text();
    if (text === undefined) return undefined;
    const found = choices.find((one) => one === text);
    if (found === undefined) {
      this.wrong(`is "${text}", not one of ${choices.join(', ')}`, didYouMean(text, choices));
    }
    return found;
  }

  integer(from: number, to: number): number | undefined {
    const value = this.#value;
    if (typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to) {
      return value;
    }
    this.wrong(
      `is ${shown(value)}, not a whole number from ${from} to ${to}`,
      typeof value === 'string' && /^\d+$/.test(value) ? 'write it without quotes' : undefined,
    );
    return undefined;
  }

  boolean(): boolean | undefined {
    if (typeof this.#value === 'boolean') return this.#value;
    this.wrong(`is ${shown(this.#value)}, not true or false`);
    return undefined;
  }

  /** A text that `parse` understands. */
  parsed<T>(
    parse: (text: string) => T | undefined,
    expected: string,
    hint?: string,
  ): T | undefined {
    const text = this.text();
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === undefined) this.wrong(`is "${text}", not ${expected}`, hint);
    return value;
  }

  /** A list of texts that `parse` understands. */
  texts<T>(
    parse: (text: string) => T | undefined,
    expected: string,
    hint?: string,
  ): readonly T[] | undefined {
    return complete(this.elements()?.map((one) => one.parsed(parse, expected, hint)));
  }

  /** A text of digits counts as the number. */
  numberOrText(): number | string | undefined {
    if (typeof this.#value === 'number') return this.#value;
    const text = this.text();
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : text;
  }

  #in(key: string, value: unknown): AlbJson {
    const path = this.#path === '' ? key : `${this.#path}.${key}`;
    return new AlbJson(this.#annotations, this.#word, value, path);
  }
}

/** The list, or undefined where something in it is. */
export function complete<T>(list: readonly (T | undefined)[] | undefined): T[] | undefined {
  if (list === undefined) return undefined;
  const found = list.filter((one) => one !== undefined);
  return found.length === list.length ? found : undefined;
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'a list';
  return isRecord(value) ? 'a map' : JSON.stringify(value);
}
