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

  /** Always undefined, for `return json.wrong(…)`. */
  wrong(what: string, hint?: string): undefined {
    const subject = this.#path === '' ? '' : `${this.#path} `;
    this.#annotations.wrong(this.#word, `${subject}${what}`, hint);
    return undefined;
  }

  /** The members of a map; a key that is not known is named in a warning. */
  members<Key extends string>(known: readonly Key[]): Readonly<Record<Key, AlbJson>> | undefined {
    if (!isRecord(this.#value)) return this.wrong(`is ${shown(this.#value)}, not a map {…}`);
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
    if (!Array.isArray(this.#value)) return this.wrong(`is ${shown(this.#value)}, not a list […]`);
    const values: readonly unknown[] = this.#value;
    if (values.length === 0) return this.wrong('is an empty list');
    return values.map((value, index) => this.#in(String(index), value));
  }

  text(): string | undefined {
    if (typeof this.#value === 'string') return this.#value;
    return this.wrong(
      `is ${shown(this.#value)}, not a text`,
      typeof this.#value === 'number' ? `write it in quotes: "${this.#value}"` : undefined,
    );
  }

  choice<Choice extends string>(choices: readonly Choice[]): Choice | undefined {
    const text = this.text();
    if (text === undefined) return undefined;
    return (
      choices.find((one) => one === text) ??
      this.wrong(`is "${text}", not one of ${choices.join(', ')}`, didYouMean(text, choices))
    );
  }

  integer(from: number, to: number): number | undefined {
    const value = this.#value;
    if (Number.isInteger(value) && Number(value) >= from && Number(value) <= to) {
      return Number(value);
    }
    return this.wrong(
      `is ${shown(value)}, not a whole number from ${from} to ${to}`,
      typeof value === 'string' && /^\d+$/.test(value) ? 'write it without quotes' : undefined,
    );
  }

  boolean(): boolean | undefined {
    if (typeof this.#value === 'boolean') return this.#value;
    return this.wrong(`is ${shown(this.#value)}, not true or false`);
  }

  /** A text that `parse` understands. */
  parsed<T>(
    parse: (text: string) => T | undefined,
    expected: string,
    hint?: string,
  ): T | undefined {
    const text = this.text();
    if (text === undefined) return undefined;
    return parse(text) ?? this.wrong(`is "${text}", not ${expected}`, hint);
  }

  /** A list of texts that `parse` understands. */
  texts<T>(
    parse: (text: string) => T | undefined,
    expected: string,
    hint?: string,
  ): readonly T[] | undefined {
    return complete(this.elements()?.map((one) => one.parsed(parse, expected, hint)));
  }

  /** A number as it is, and a text; of which one that is a number counts as one. */
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
