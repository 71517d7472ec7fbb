/** Results of probes as a table, one row a probe, and under it what a person does about a row that differs. */

import { stripVTControlCharacters } from 'node:util';

import type { Cloud } from '../cloud.ts';
import { renderDecision } from '../observe/drop.ts';
import { renderSpread } from '../probe/compare.ts';
import type { ProbeResult } from '../probe/run.ts';
import { count, PLAIN, type Style } from './style.ts';
import { table } from './table.ts';

export interface GroupResult {
  /** The experiment's name; undefined for the lab as it stands. */
  readonly experiment: string | undefined;
  readonly about: string | undefined;
  /** What the experiment replaced, as it stands in the lab. */
  readonly changes: Readonly<Record<string, unknown>>;
  readonly cloud: Cloud;
  readonly results: readonly ProbeResult[];
}

/** `columns` is the width of the terminal; in a pipe there is none, and each probe is a line, however long. */
export function renderGroups(
  groups: readonly GroupResult[],
  style: Style = PLAIN,
  columns?: number,
): string {
  const shown = groups.filter((group) => group.results.length > 0);
  return shown.map((group) => renderGroup(group, style, columns)).join('\n\n');
}

function renderGroup(group: GroupResult, style: Style, columns: number | undefined): string {
  const parts: string[] = [];
  if (group.experiment !== undefined) {
    const { about } = group;
    parts.push(
      style.bold(`experiment ${group.experiment}${about === undefined ? '' : `: ${about}`}`),
    );
    for (const [path, value] of Object.entries(group.changes)) {
      parts.push(style.dim(`  with ${path} = ${JSON.stringify(value)}`));
    }
  }
  const wide = renderWide(group.results, style);
  const width = Math.max(...wide.split('\n').map((line) => stripVTControlCharacters(line).length));
  parts.push(columns !== undefined && width > columns ? renderNarrow(group.results, style) : wide);
  for (const result of group.results) {
    if (result.differences.length > 0) parts.push(renderDifference(result, group.cloud, style));
  }
  return parts.join('\n');
}

function renderWide(results: readonly ProbeResult[], style: Style): string {
  const rows = results.map((result) => [
    mark(result, style),
    result.name,
    result.probe.from,
    renderRequest(result),
    expected(result),
    seen(result),
    renderTime(result.timeMs),
    result.evidence.path.join(' > '),
  ]);
  const headers = ['', 'FLOW', 'FROM', 'TO', 'EXPECTED', 'SEEN', 'TIME', 'PATH (observed)'];
  return withNotes(table(headers, rows, style), results, (result) => notes(result, style));
}

/** `http example.com/`; TLS is told by its scheme. */
function renderRequest({ probe, request: { kind } }: ProbeResult): string {
  const target = probe[kind] ?? '';
  const [, scheme = kind, rest = target] = /^(https?):\/\/(.*)$/.exec(target) ?? [];
  return `${scheme} ${rest}`;
}

/** The table with lines under each of its rows. */
function withNotes(
  text: string,
  results: readonly ProbeResult[],
  notesOf: (result: ProbeResult) => string[],
): string {
  const [head = '', ...lines] = text.split('\n');
  const noted = lines.map((line, index) => {
    const result = results[index];
    return [line, ...(result === undefined ? [] : notesOf(result))].join('\n');
  });
  return [head, ...noted].join('\n');
}

/** What has no column: who denied it, who answered how often, by which names it was asked for. */
function notes(result: ProbeResult, style: Style): string[] {
  const { answers, samplesMs = [], asked, addresses, answer } = result.outcome;
  const said = (what: string, text: string): string => `   ${style.dim(what)} ${text}`;
  return [
    ...deniedLines(result, style),
    ...(answers === undefined ? [] : [said('answered by', renderSpread(answers))]),
    ...(samplesMs.length === 0 ? [] : [said('in', renderSpan(samplesMs))]),
    ...(asked === undefined || asked.length === 0 ? [] : [said('asked for', asked.join(', '))]),
    ...(addresses === undefined || addresses.length === 0
      ? []
      : [said('leads to', addresses.join(', '))]),
    ...(answer === undefined ? [] : [said('says', answer.replaceAll('\n', ', '))]),
  ];
}

/** The middle one, and what nine of ten are between. */
function renderSpan(sorted: readonly number[]): string {
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(1);
  return `${at(0.5)} ms, 9 of 10 in ${at(0.05)} to ${at(0.95)} ms`;
}

function deniedLines(result: ProbeResult, style: Style): string[] {
  return deniedBy(result).map((decision) => `   ${style.dim('denied by')} ${decision}`);
}

/** Where a line would not fit: the path under the probe. It tells from where and to where by itself. */
function renderNarrow(results: readonly ProbeResult[], style: Style): string {
  const rows = results.map((result) => [
    mark(result, style),
    result.name,
    `${seen(result)}${isBlockedAsExpected(result) ? ', as expected' : ''}`,
    renderTime(result.timeMs),
  ]);
  return withNotes(table(['', 'FLOW', 'SEEN', 'TIME'], rows, style), results, (result) => [
    style.dim(`   ${result.evidence.path.join(' > ')}`),
    ...notes(result, style),
  ]);
}

function isBlockedAsExpected({ outcome, differences }: ProbeResult): boolean {
  return outcome.verdict !== 'allowed' && differences.length === 0;
}

function mark({ differences }: ProbeResult, style: Style): string {
  return differences.length === 0 ? style.green('✓') : style.red('✗');
}

function expected({ probe: { expect } }: ProbeResult): string {
  const source = expect.sourceSeen === undefined ? '' : ` from ${expect.sourceSeen}`;
  return `${expect.status ?? expect.verdict}${source}`;
}

function seen({ outcome, probe, sourceSeen }: ProbeResult): string {
  const what =
    outcome.status === undefined || probe.expect.status === undefined
      ? outcome.verdict
      : outcome.status;
  const source =
    outcome.verdict !== 'allowed' ||
    probe.expect.sourceSeen === undefined ||
    sourceSeen === undefined
      ? ''
      : ` from ${sourceSeen}`;
  return `${what}${source}`;
}

/** What denied its packets, each once, in the order in which they did. */
function deniedBy({ evidence }: ProbeResult): string[] {
  return [...new Set(evidence.denied.map(renderDecision))];
}

function renderTime(timeMs: number | undefined): string {
  if (timeMs === undefined) return '';
  return timeMs < 10 ? `${timeMs.toFixed(1)} ms` : `${Math.round(timeMs)} ms`;
}

function renderDifference(result: ProbeResult, cloud: Cloud, style: Style): string {
  const lines = [style.red(`✗ ${result.name}`)];
  for (const difference of result.differences) lines.push(`  ${difference}`);
  lines.push(`  model: ${result.judgement.because}`);
  lines.push(`  ask again by hand: ${result.byHand}`);
  if (result.judgement.verdict !== result.outcome.verdict) {
    lines.push('  look: npx hoplab verify    # does the kernel stand as planned?');
  }
  for (const command of whereToLook(result, cloud)) lines.push(`  look: ${command}`);
  return lines.join('\n');
}

/** The last thing that had the request, and what decides there. */
function whereToLook(
  { evidence, request, probe, differences }: ProbeResult,
  cloud: Cloud,
): string[] {
  if (differences.every((difference) => difference.includes('tracks no connection'))) {
    return probe.expect.conntrack.map(({ at }) => `npx hoplab exec ${at} -- conntrack -L`);
  }
  const last = evidence.path.at(-1) ?? request.from.reference;
  const exec = `npx hoplab exec ${last} --`;
  const kind = cloud.things.get(last)?.kind;
  const vpcs = [...cloud.vpcs.keys()].flatMap((name) => [
    `npx hoplab exec vpc/${name} -- ip route show table all    # the VPC's route tables`,
    `npx hoplab exec vpc/${name} -- nft list table bridge fabric    # its source/destination check, with counters`,
  ]);
  switch (kind) {
    case 'node':
      return [`${exec} ip rule`, `${exec} ip route get ${routeQuestion(request, cloud)}`, ...vpcs];
    case 'nat':
    case 'nlb':
      return [`${exec} conntrack -L`, `${exec} nft list ruleset`, ...vpcs];
    case 'igw':
      return [`${exec} iptables -t nat -L -n -v`, `${exec} iptables -L -n -v`];
    case 'pod':
    case 'instance':
    case 'eks':
    case 'alb':
    case 'rds':
    case 'internet':
      return [`${exec} ss -lntu`, `${exec} ip route`];
    case 'vpc':
    case undefined:
      return vpcs;
  }
}

export function isAsExpected(groups: readonly GroupResult[]): boolean {
  return groups.every((group) => group.results.every((one) => one.differences.length === 0));
}

/** The arguments of `ip route get` that ask for this packet's way, not for the node's own. */
function routeQuestion(request: ProbeResult['request'], cloud: Cloud): string {
  const pod = cloud.pods.find((one) => one.netns === request.from.netns);
  return pod?.hostVeth === undefined
    ? request.destination
    : `${request.destination} from ${pod.address} iif ${pod.hostVeth}`;
}

/** The line at the end: how many were as expected. */
export function renderSummary(groups: readonly GroupResult[], style: Style = PLAIN): string {
  const results = groups.flatMap((group) => group.results);
  const differing = results.filter((result) => result.differences.length > 0).length;
  const all = count(results.length, 'probe');
  return differing === 0
    ? style.green(`${all}, all as expected and as the model predicts`)
    : style.red(`${all}: ${results.length - differing} as expected, ${differing} not`);
}

export function groupsToJson(groups: readonly GroupResult[]): unknown {
  return groups.flatMap((group) =>
    group.results.map((result) => ({
      probe: result.name,
      experiment: group.experiment ?? null,
      about: result.probe.about ?? null,
      from: result.request.from.reference,
      request: result.request.kind,
      to: result.request.text,
      expected: result.probe.expect,
      seen: {
        verdict: result.outcome.verdict,
        status: result.outcome.status ?? null,
        timeMs: result.timeMs ?? null,
        sourceSeen: result.sourceSeen ?? null,
        answeredBy: result.outcome.answeredBy ?? null,
        ttl: result.outcome.ttl ?? null,
        answer: result.outcome.answer ?? null,
        path: result.evidence.path,
        deniedBy: deniedBy(result),
        said: result.outcome.said ?? null,
      },
      predicted: result.judgement,
      ok: result.differences.length === 0,
      differences: result.differences,
    })),
  );
}
