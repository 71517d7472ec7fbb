/** What differs between the kernel and the plan, in the lab's words; the kernel's own lines for who wants them. */

import { renderSourceRef } from '../base/diagnostic.ts';
import type { Drift } from '../kernel/drift.ts';
import {
  gsoMaxSize,
  type KernelObject,
  MAIN_TABLE,
  renderRule,
  tableWord,
} from '../kernel/state.ts';
import { homeOf, renderObject } from './object.ts';
import { count, PLAIN, type Style } from './style.ts';

/** A line for each difference, with `verbose` the kernel's lines under it; `+` stands in the kernel, `-` in the plan. */
export function renderDrift(
  drift: readonly Drift[],
  verbose: boolean,
  style: Style = PLAIN,
): string {
  return drift
    .flatMap((one) => [
      `${style.red('✗')} ${style.bold(one.because.thing)}: ${describe(one)}`,
      ...(verbose ? rawLines(one).map((line) => paintRaw(`    ${line}`, style)) : []),
    ])
    .join('\n');
}

export function driftToJson(drift: readonly Drift[]): unknown {
  return drift.map((one) => {
    const object = objectOf(one);
    const { thing, concept, at } = one.because;
    return {
      thing,
      what: describe(one),
      drift: one.kind,
      along: one.along,
      concept,
      at: at === undefined ? null : renderSourceRef(at),
      netns: homeOf(object) === '' ? null : homeOf(object),
      kind: object.kind,
      raw: rawLines(one),
    };
  });
}

/** The line at the end: nothing differs, or how much does and what to do about it. */
export function renderDriftSummary(
  name: string,
  numbers: { readonly objects: number; readonly drift: number },
  style: Style = PLAIN,
): string {
  const { objects, drift } = numbers;
  return drift === 0
    ? style.green(`${name} stands as planned: ${count(objects, 'object')} looked at`)
    : style.red(
        `${name}: ${count(drift, 'difference')}; the kernel\u2019s own lines: npx hoplab verify -v -l ${name}; mend: npx hoplab repair -l ${name}`,
      );
}

function objectOf(drift: Drift): KernelObject {
  return drift.kind === 'more' ? drift.found : drift.wanted;
}

function paintRaw(line: string, style: Style): string {
  return line.trimStart().startsWith('+') ? style.green(line) : style.red(line);
}

/** What is wrong, without the thing it is wrong with. */
function describe(drift: Drift): string {
  const along = drift.along === 0 ? '' : `, and ${count(drift.along, 'object')} with it`;
  switch (drift.kind) {
    case 'gone':
      return `${describeGone(drift.wanted, drift.because.as)}${along}`;
    case 'more':
      return `${describeMore(drift.found)}${along}`;
    case 'changed':
      return describeChange(drift.wanted, drift.found, drift.because.as);
  }
}

function describeGone(object: KernelObject, as: string | undefined): string {
  if (object.kind === 'link-up') return `link ${object.link} is down`;
  if (object.kind === 'daemon') return `the server ${object.name} does not run`;
  return `${as ?? nameOf(object)} is gone`;
}

function describeMore(object: KernelObject): string {
  if (object.kind === 'link-up') return `link ${object.link} is up`;
  const [noun, name] = nounAndName(object);
  return `${/^[aeiou]|^nft/.test(noun) ? 'an' : 'a'} ${noun} more: ${name}`;
}

function describeChange(wanted: KernelObject, found: KernelObject, as: string | undefined): string {
  const name = as ?? nameOf(wanted);
  if ('unlike' in found) return `${name}: ${found.unlike}`;
  if ('rules' in wanted && 'rules' in found) {
    const differences = [policyChange(wanted, found), rulesChange(wanted.rules, found.rules)];
    return `${name} ${differences.filter((text) => text !== '').join(', ')}`;
  }
  if (wanted.kind === 'ipset' && found.kind === 'ipset' && wanted.type === found.type) {
    return `${name} ${listChange(wanted.members, found.members, 'member')}`;
  }
  if (wanted.kind === 'sysctl' && found.kind === 'sysctl') {
    return `${name} is ${found.value}, not ${wanted.value}`;
  }
  if (found.kind === 'daemon' && wanted.kind === 'daemon')
    return `the server ${wanted.name} runs with another configuration`;
  if (wanted.kind === 'file') return `${name} has another content`;
  if (
    wanted.kind === 'address' &&
    found.kind === 'address' &&
    found.broadcast === wanted.broadcast
  ) {
    return `the connected route of ${name} is ${wanted.connectedRoute ? 'gone' : 'there again'}`;
  }
  if (wanted.kind === 'veth' && found.kind === 'veth' && found.mtuBytes === wanted.mtuBytes) {
    const macs = wanted.ends.flatMap(({ netns, link, mac }, index) => {
      const other = found.ends[index]?.mac;
      return other === mac ? [] : [`${netns} ${link} has the MAC ${other ?? '?'}, not ${mac}`];
    });
    return `${name}: ${macs.join(', ')}`;
  }
  const fields = fieldsThatDiffer(wanted, found);
  return `${name} is otherwise: ${fields.join(', ')}`;
}

type WithRules = Extract<KernelObject, { readonly rules: readonly string[] }>;

function policyChange(wanted: WithRules, found: WithRules): string {
  if (wanted.kind === 'iptables-chain' && found.kind === 'iptables-chain') {
    return wanted.policy === found.policy
      ? ''
      : `has the policy ${found.policy ?? 'none'}, not ${wanted.policy ?? 'none'}`;
  }
  if (wanted.kind === 'nft-chain' && found.kind === 'nft-chain' && wanted.hook !== found.hook) {
    return `hangs elsewhere (${found.hook ?? 'nowhere'})`;
  }
  return '';
}

/** `has a rule more`, `lacks 2 rules`, `has its rules in another order`. */
function rulesChange(wanted: readonly string[], found: readonly string[]): string {
  const change = listChange(wanted, found, 'rule');
  if (change === '')
    return wanted.join('\n') === found.join('\n') ? '' : 'has its rules in another order';
  return change;
}

/** `lacks a rule and has 2 rules more`; nothing where both have the same ones. */
function listChange(wanted: readonly string[], found: readonly string[], noun: string): string {
  const lacks = without(wanted, found).length;
  const more = without(found, wanted).length;
  const some = (number: number): string => (number === 1 ? `a ${noun}` : `${number} ${noun}s`);
  return [
    ...(lacks === 0 ? [] : [`lacks ${some(lacks)}`]),
    ...(more === 0 ? [] : [`has ${some(more)} more`]),
  ].join(' and ');
}

/** The lines of a list that another does not have, each as often as it is missing. */
function without(lines: readonly string[], others: readonly string[]): string[] {
  const left = [...others];
  return lines.filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

function fieldsThatDiffer(wanted: KernelObject, found: KernelObject): string[] {
  const fields = (object: KernelObject): [string, string][] =>
    Object.entries(object).map(([key, value]) => [key === 'mtuBytes' ? 'mtu' : key, say(value)]);
  const before = new Map(fields(found));
  const after = new Map(fields(wanted));
  return [...new Set([...after.keys(), ...before.keys()])]
    .filter((key) => before.get(key) !== after.get(key))
    .map((key) => `${key} ${before.get(key) ?? 'none'}, not ${after.get(key) ?? 'none'}`);
}

function say(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function nameOf(object: KernelObject): string {
  return nounAndName(object).join(' ');
}

/** The kernel's noun, and which one it is. */
function nounAndName(object: KernelObject): readonly [noun: string, name: string] {
  switch (object.kind) {
    case 'netns':
      return ['network namespace', object.netns];
    case 'veth': {
      const [there, here] = object.ends;
      return ['cable', `${here.link} (to ${there.link} of ${there.netns})`];
    }
    case 'iptables-chain':
      return ['chain', `${object.chain} (iptables -t ${object.table})`];
    case 'ipset':
      return ['ipset', object.set];
    case 'nft-chain':
      return ['chain', `${object.chain} (nft ${object.family} ${object.table})`];
    case 'nft-table':
      return ['nft table', `${object.family} ${object.table}`];
    case 'nft-set':
      return [`nft ${object.type}`, `${object.set} of ${object.family} ${object.table}`];
    case 'nft-element': {
      const { element, data, set } = object;
      return ['nft element', `${element}${data === undefined ? '' : ` : ${data}`} of ${set}`];
    }
    case 'link-up':
      return ['link', object.link];
    case 'rule':
      return ['rule', renderRule(object).replace(/^priority /, '')];
    case 'route': {
      const text = renderObject(object).replace(/^route /, '');
      return [
        'route',
        object.table === MAIN_TABLE
          ? text
          : `${text.replace(/ table \S+$/, '')} in table ${tableWord(object.table)}`,
      ];
    }
    case 'sysctl':
      return ['sysctl', object.path.replaceAll('/', '.')];
    default: {
      const text = renderObject(object);
      const space = text.indexOf(' ');
      return [text.slice(0, space), text.slice(space + 1)];
    }
  }
}

/** `-` what the plan wants and the kernel lacks, `+` what the kernel has instead or more, each with its place. */
function rawLines(drift: Drift): string[] {
  const wanted = drift.kind === 'more' ? [] : kernelLines(drift.wanted);
  const found = drift.kind === 'gone' ? [] : kernelLines(drift.found);
  const lines = [
    ...without(wanted, found).map((line) => `- ${line}`),
    ...without(found, wanted).map((line) => `+ ${line}`),
  ];
  const home = homeOf(objectOf(drift));
  return lines.map((line) => (home === '' ? line : `${line}    (netns ${home})`));
}

/** An object as the kernel's own tools show it, a line a rule. */
function kernelLines(object: KernelObject): string[] {
  switch (object.kind) {
    case 'iptables-chain': {
      const head = object.policy === undefined ? '-' : object.policy;
      return [
        `iptables -t ${object.table}: :${object.chain} ${head}`,
        ...object.rules.map((rule) => `iptables -t ${object.table}: -A ${object.chain} ${rule}`),
      ];
    }
    case 'ipset':
      return [
        `ipset ${object.set} ${object.type}${unlikeOf(object)}`,
        ...object.members.map((member) => `ipset ${object.set}: ${member}`),
      ];
    case 'nft-chain': {
      const chain = `nft ${object.family} ${object.table} ${object.chain}`;
      return [
        `${chain} { ${object.hook ?? ''}`,
        ...object.rules.map((rule) => `${chain}: ${rule}`),
      ];
    }
    case 'route': {
      const more = [
        ...(object.scopeLink === true ? ['scope link'] : []),
        ...(object.metric === undefined ? [] : [`metric ${object.metric}`]),
        ...(object.onlink === true ? ['onlink'] : []),
      ];
      return [[renderObject(object), ...more].join(' ')];
    }
    case 'address': {
      const broadcast = object.broadcast === undefined ? '' : ` brd ${object.broadcast}`;
      const connected = object.connectedRoute ? '' : ', without the connected route';
      return [`${renderObject(object)}${broadcast}${connected}`];
    }
    case 'veth':
      return [
        `${renderObject(object)}, gso_max_size ${gsoMaxSize(object.mtuBytes)}${unlikeOf(object)}`,
      ];
    case 'bridge':
    case 'bridge-port':
    case 'daemon':
      return [`${renderObject(object)}${unlikeOf(object)}`];
    case 'file':
      return object.content.split('\n').map((line) => `${object.path}: ${line}`);
    default:
      return [renderObject(object)];
  }
}

function unlikeOf({ unlike }: { readonly unlike?: string }): string {
  return unlike === undefined ? '' : `; ${unlike}`;
}
