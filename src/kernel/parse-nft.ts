/**
 * What `nft -y -s list ruleset` prints, as tables, sets with their elements, and chains. The tables of iptables-nft are
 * left to `parse-iptables.ts`.
 *
 * The text is a tree of blocks: a line that ends in `{` opens one, a line `}` closes it; a list of elements between braces
 * may go on over several lines.
 */

import type { NetnsName } from '../base/names.ts';
import type { IptablesTable, KernelObject, NftFamily, NftSet } from './state.ts';

const IPTABLES: readonly IptablesTable[] = ['raw', 'mangle', 'nat', 'filter', 'security'];
/** Other kinds of objects (quota, flowtable, …) no plan uses. */
const SETS: readonly NftSet['type'][] = ['set', 'map', 'counter'];

interface Table {
  readonly family: NftFamily;
  readonly table: string;
}

interface Block {
  readonly kind: string;
  readonly name: string;
  readonly lines: string[];
}

export function parseNft(netns: NetnsName, text: string): KernelObject[] {
  const objects: KernelObject[] = [];
  let table: Table | undefined;
  let block: Block | undefined;
  for (const line of logicalLines(text)) {
    const [, kind = '', name = ''] = /^(\S+) (.*) \{$/.exec(line) ?? [];
    if (table === undefined) {
      if (kind !== 'table') continue;
      const [family = '', rest = ''] = name.split(' ');
      table = { family: family as NftFamily, table: rest };
      if (!isIptables(table)) objects.push({ kind: 'nft-table', netns, ...table });
    } else if (block === undefined) {
      if (line === '}') table = undefined;
      else if (kind !== '') block = { kind, name, lines: [] };
    } else if (line === '}') {
      if (!isIptables(table)) objects.push(...objectsOf(netns, table, block));
      block = undefined;
    } else block.lines.push(line);
  }
  return objects;
}

function isIptables({ family, table }: Table): boolean {
  return (family === 'ip' || family === 'ip6') && IPTABLES.some((one) => one === table);
}

/** Lines without their indentation, a list of elements in one. */
function logicalLines(text: string): string[] {
  const lines: string[] = [];
  // A set that packets put elements in has thousands: each of its lines is looked at once.
  let parts: string[] = [];
  let depth = 0;
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const isWithin = parts.length > 0;
    parts.push(line);
    depth += depthOf(line);
    if (depth > 0 && (isWithin || !line.endsWith(' {'))) continue;
    lines.push(parts.join(' '));
    parts = [];
    depth = 0;
  }
  return lines;
}

/** Braces that were opened and not closed; those in quotes do not count. */
function depthOf(line: string): number {
  const bare = line.replaceAll(/"[^"]*"/g, '');
  return bare.split('{').length - bare.split('}').length;
}

/** nftables 1.1 prints `0x3fff` where 1.0 prints 16383; a plan says it in decimal. What is quoted stays as it is. */
function inDecimal(rule: string): string {
  return rule.replaceAll(/"[^"]*"|\b0x[0-9a-f]+\b/g, (word) =>
    word.startsWith('"') ? word : String(Number(word)),
  );
}

function objectsOf(netns: NetnsName, table: Table, { kind, name, lines }: Block): KernelObject[] {
  if (kind === 'chain') {
    const [first, ...rest] = lines;
    const chain = { kind: 'nft-chain', netns, ...table, chain: name } as const;
    return first?.startsWith('type ') === true
      ? [{ ...chain, hook: first, rules: rest.map(inDecimal) }]
      : [{ ...chain, rules: lines.map(inDecimal) }];
  }
  const type = SETS.find((one) => one === kind);
  if (type === undefined) return [];
  const isElements = (line: string): boolean => line.startsWith('elements = ');
  // What a counter has counted is no part of what it is.
  const settings = type === 'counter' ? [] : lines.filter((line) => !isElements(line));
  const body = settings.map((line) => `${line};`).join(' ');
  const set: NftSet = { kind: 'nft-set', netns, ...table, type, set: name, body };
  const elements = lines.find(isElements);
  // What packets put in is no state of ours.
  if (elements === undefined || settings.some((line) => /^flags .*dynamic/.test(line)))
    return [set];
  const list = elements.replace(/^elements = \{ /, '').replace(/ \}$/, '');
  return [
    set,
    ...list.split(', ').map((one) => {
      const [element = '', data] = one.split(' : ');
      const entry = { kind: 'nft-element', netns, ...table, set: name, element } as const;
      return data === undefined ? entry : { ...entry, data };
    }),
  ];
}
