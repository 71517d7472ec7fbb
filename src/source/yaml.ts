/**
 * YAML text to plain values that remember where they were written: the only importer of the YAML parser.
 *
 * A `SourceTree` is one document. A patch (an experiment's `with:`, or `--set` on the command line) replaces a part of
 * it together with its positions, so that a mistake in a patch is reported where the patch stands.
 */

import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml';
import type { Node, Pair } from 'yaml';

import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';

export type Path = readonly (string | number)[];

interface Position {
  readonly value: SourceRef;
  /** Where the key stands that leads here; for a list's element, the element itself. */
  readonly key: SourceRef;
}

/** A place in a document: what the concepts get, so that they can report without knowing the file. */
export interface Where {
  at(...path: Path): SourceRef;
  keyAt(...path: Path): SourceRef;
  in(...path: Path): Where;
}

export class SourceTree {
  readonly file: string;
  readonly value: unknown;
  readonly #positions: ReadonlyMap<string, Position>;

  constructor(file: string, value: unknown, positions: ReadonlyMap<string, Position>) {
    this.file = file;
    this.value = value;
    this.#positions = positions;
  }

  /** Where the value at the path stands, or the nearest thing around it that does stand. */
  at(path: Path): SourceRef {
    return this.#find(path)?.value ?? { file: this.file, line: 1, column: 1 };
  }

  keyAt(path: Path): SourceRef {
    return this.#find(path)?.key ?? { file: this.file, line: 1, column: 1 };
  }

  where(prefix: Path = []): Where {
    return {
      at: (...path) => this.at([...prefix, ...path]),
      keyAt: (...path) => this.keyAt([...prefix, ...path]),
      in: (...path) => this.where([...prefix, ...path]),
    };
  }

  /** The same document with the value at the path replaced; `undefined` takes it out. */
  patched(path: Path, value: unknown, from: SourceTree, fromPath: Path): SourceTree {
    const patched = replaceAt(this.value, path, value);
    const positions = new Map<string, Position>();
    const gone = pathKey(path);
    const moved = value === undefined ? movedUp(this.value, path) : undefined;
    for (const [key, position] of this.#positions) {
      if (key === gone || key.startsWith(`${gone}\0`)) continue;
      positions.set(moved === undefined ? key : moved(key), position);
    }
    // Where an element of a list was stands the next one.
    if (moved !== undefined) return new SourceTree(this.file, patched, positions);
    const source = pathKey(fromPath);
    for (const [key, position] of from.#positions) {
      if (key === source) positions.set(gone, position);
      else if (key.startsWith(`${source}\0`) || source === '') {
        positions.set(gone + (source === '' ? '\0' : '') + key.slice(source.length), position);
      }
    }
    return new SourceTree(this.file, patched, positions);
  }

  #find(path: Path): Position | undefined {
    for (let length = path.length; length >= 0; length -= 1) {
      const position = this.#positions.get(pathKey(path.slice(0, length)));
      if (position !== undefined) return position;
    }
    return undefined;
  }
}

/** All documents of a text; syntax errors and doubled keys are reported, and such a document is left out. */
export function readYaml(file: string, text: string, diagnostics: Diagnostics): SourceTree[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const trees: SourceTree[] = [];
  const refAt = (offset: number): SourceRef => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  for (const document of documents) {
    for (const error of document.errors) {
      const { what, hint } = explain(error.code, error.message, text.slice(error.pos[0]));
      diagnostics.error('yaml-syntax', refAt(error.pos[0]), what, hint);
    }
    if (document.errors.length > 0) continue;
    const positions = new Map<string, Position>();
    const walk = (node: Node | null, path: Path, key: SourceRef): unknown => {
      const resolved = isAlias(node) ? (node.resolve(document) ?? null) : node;
      const here = node?.range == null ? key : refAt(node.range[0]);
      if (isAlias(node) && resolved === null) {
        const what = `"*${node.source}" stands for nothing: no value is marked "&${node.source}"`;
        diagnostics.error('yaml-syntax', here, what, 'mark the value that is meant, or write it');
      }
      positions.set(pathKey(path), { value: here, key });
      if (isMap(resolved)) {
        const result: Record<string, unknown> = {};
        for (const pair of resolved.items as Pair<Node, Node | null>[]) {
          const name = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
          const keyRef = pair.key.range == null ? here : refAt(pair.key.range[0]);
          result[name] = walk(pair.value, [...path, name], keyRef);
        }
        return result;
      }
      if (isSeq(resolved)) {
        return resolved.items.map((item, index) =>
          walk(item as Node, [...path, index], refAt((item as Node).range?.[0] ?? 0)),
        );
      }
      return isScalar(resolved) ? resolved.value : null;
    };
    const contents = document.contents as Node | null;
    const start = refAt(contents?.range?.[0] ?? document.range[0]);
    const value = walk(contents, [], start);
    trees.push(new SourceTree(file, value, positions));
  }
  return trees;
}

/** The parser's complaint; in plainer words where it is one that people meet. `rest` is the text from there on. */
function explain(code: string, said: string, rest: string): { what: string; hint: string } {
  if (code === 'DUPLICATE_KEY') {
    const key = /^(?:"[^"]*"|'[^']*'|[^\s:,}]+)/.exec(rest)?.[0] ?? '';
    return { what: `the key "${key}" stands twice in this map`, hint: 'give each key once' };
  }
  if (code === 'TAB_AS_INDENT') {
    return { what: 'this is not YAML: the line begins with a tab', hint: 'indent with spaces' };
  }
  const bracket = /^Flow (?:map|sequence) in block collection .* end with a (.)$/.exec(said)?.[1];
  if (bracket !== undefined) {
    const open = bracket === '}' ? '{' : '[';
    return {
      what: `this is not YAML: a "${open}" above has no "${bracket}"`,
      hint: `end it with "${bracket}", or indent what follows`,
    };
  }
  const message = said.replace(/\.$/, '');
  return {
    what: `this is not YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`,
    hint: 'check the indentation, the colons and the quotes on this line and the one above',
  };
}

/** What a path may lead to that is not there yet. */
export interface KnownPaths {
  /** Whether what stands at the path may have this key. */
  knows(path: Path, key: string): boolean;
  /** Whether the keys there are anybody's own, dots and all, with nothing below them: labels. */
  isFreeMap(path: Path): boolean;
}

/**
 * A path as a person writes it, `vpcs.main.routeTables.private-1.routes`, to the keys it means in this value. A key
 * may hold dots (`internet.example.com.address`): the longest key that is there wins. The last key may be new, and so may
 * one on the way that is known (`cluster.cni` where the lab says nothing of it).
 */
export function resolvePath(
  value: unknown,
  text: string,
  known: KnownPaths,
  at: SourceRef,
  diagnostics: Diagnostics,
  /** What a person has written of which this is the end, and what the value is. */
  whole: { readonly text: string; readonly what: string } = { text, what: 'the lab' },
): Path | undefined {
  const path: (string | number)[] = [];
  let rest = text.split('.');
  let here: unknown = value;
  while (rest.length > 0) {
    if (Array.isArray(here)) {
      const [word = '', ...others] = rest;
      if (!/^\d+$/.test(word) || Number(word) >= here.length) {
        diagnostics.error(
          'unknown-path',
          at,
          `"${whole.text}": "${word}" is no position in a list of ${here.length}`,
          'positions start at 0',
        );
        return undefined;
      }
      path.push(Number(word));
      here = here[Number(word)];
      rest = others;
      continue;
    }
    const isMap = isRecord(here) || here === undefined || here === null;
    if (isMap && known.isFreeMap(path)) return [...path, rest.join('.')];
    const there = isRecord(here) ? Object.keys(here) : [];
    let length = rest.length;
    while (length > 0 && !there.includes(rest.slice(0, length).join('.'))) length -= 1;
    if (length > 0) {
      const key = rest.slice(0, length).join('.');
      path.push(key);
      here = isRecord(here) ? here[key] : undefined;
      rest = rest.slice(length);
      continue;
    }
    const word = rest[0] ?? '';
    if (isMap && word !== '' && rest.length === 1) return [...path, word];
    if (known.knows(path, word)) {
      path.push(word);
      here = undefined;
      rest = rest.slice(1);
      continue;
    }
    diagnostics.error(
      'unknown-path',
      at,
      `"${whole.text}": there is no "${word}" in ${path.length === 0 ? whole.what : path.join('.')}`,
      suggest(word, there),
    );
    return undefined;
  }
  return path;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What stands at the path, or undefined. */
export function valueAt(value: unknown, path: Path): unknown {
  let here = value;
  for (const key of path) {
    if (Array.isArray(here)) here = (here as unknown[])[Number(key)];
    else if (isRecord(here)) here = here[String(key)];
    else return undefined;
  }
  return here;
}

function pathKey(path: Path): string {
  return path.join('\0');
}

/** Where a key is once a list has lost the element at the path: those behind it move up. Undefined where it is no list's. */
function movedUp(value: unknown, path: Path): ((key: string) => string) | undefined {
  const list = path.slice(0, -1);
  if (!Array.isArray(valueAt(value, list))) return undefined;
  const index = Number(path.at(-1));
  const start = list.length === 0 ? '' : `${pathKey(list)}\0`;
  return (key) => {
    if (!key.startsWith(start)) return key;
    const [position = '', ...rest] = key.slice(start.length).split('\0');
    if (!/^\d+$/.test(position) || Number(position) <= index) return key;
    return start + pathKey([Number(position) - 1, ...rest]);
  };
}

function replaceAt(value: unknown, path: Path, replacement: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return replacement;
  if (Array.isArray(value)) {
    const copy: unknown[] = [...(value as unknown[])];
    if (rest.length === 0 && replacement === undefined) copy.splice(Number(head), 1);
    else copy[Number(head)] = replaceAt(copy[Number(head)], rest, replacement);
    return copy;
  }
  const copy: Record<string, unknown> = isRecord(value) ? { ...value } : {};
  if (rest.length === 0 && replacement === undefined) {
    return Object.fromEntries(Object.entries(copy).filter(([key]) => key !== String(head)));
  }
  copy[String(head)] = replaceAt(copy[String(head)], rest, replacement);
  return copy;
}
