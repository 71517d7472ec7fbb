/** Holds what was seen against what the lab expects, and against what the model predicts. */

import { type Cloud, findThing } from '../cloud.ts';
import type { NetnsName } from '../base/names.ts';
import type { Judgement } from '../judge/judge.ts';
import { type Drop, renderDecision } from '../observe/drop.ts';
import type { ProbeSpec } from '../observe/probe-spec.ts';
import type { Evidence } from './evidence.ts';
import type { Outcome } from './outcome.ts';
import type { Request } from './request.ts';
import { resolveName } from './resolve-name.ts';

export interface Seen {
  readonly request: Request;
  readonly probe: ProbeSpec;
  readonly outcome: Outcome;
  readonly evidence: Evidence;
  readonly judgement: Judgement;
  /** All that may become of the request; the judgement is what did. */
  readonly alternatives: readonly Judgement[];
  readonly sourceSeen: string | undefined;
}

/** One sentence for each difference; none when all is as expected. */
export function findDifferences(
  cloud: Cloud,
  seen: Seen,
  conntrack: ReadonlyMap<NetnsName, string>,
): string[] {
  const { probe, outcome, evidence, judgement, sourceSeen, request } = seen;
  const { expect } = probe;
  const found: string[] = [];
  const canonical = (text: string): string => findThing(cloud, text)?.reference ?? text;
  const compare = (
    what: string,
    wanted: string | number | undefined,
    got: string | number | undefined,
  ): void => {
    if (wanted !== undefined && wanted !== got) {
      found.push(`${what}: expected ${wanted}, seen ${got ?? 'nothing'}`);
    }
  };
  if (outcome.verdict !== expect.verdict) {
    const said = outcome.said === undefined || outcome.said === '' ? '' : ` (${outcome.said})`;
    found.push(`expected ${expect.verdict}, seen ${outcome.verdict}${said}`);
  } else {
    // Without an answer there is nothing to compare: the verdict says it all.
    const answeredBy = expect.answeredBy === undefined ? undefined : canonical(expect.answeredBy);
    compare('status', expect.status, outcome.status);
    compare('source address at the receiver', expect.sourceSeen, sourceSeen);
    compare('answered by', answeredBy, outcome.answeredBy);
    compare('TTL of the reply', expect.ttl, outcome.ttl);
    compare('answer', expect.answer, outcome.answer);
  }
  found.push(...findSpread(seen), ...findNames(cloud, seen));
  if (expect.path !== undefined) {
    compare('path', expect.path.map(canonical).join(' > '), evidence.path.join(' > '));
  }
  for (const text of expect.silent) {
    if (evidence.path.includes(canonical(text)))
      found.push(`${text} was to stay silent, and saw the request`);
  }
  for (const { at, source } of expect.conntrack) {
    const netns = findThing(cloud, at)?.netns;
    const entries = netns === undefined ? '' : (conntrack.get(netns) ?? '');
    const from = source === undefined ? '' : `src=${escape(source)} `;
    const port = request.port === 0 ? '' : `.*dport=${request.port} `;
    const pattern = new RegExp(`${from}dst=${escape(request.destination)} ${port}`);
    if (!entries.split('\n').some((entry) => pattern.test(entry))) {
      const who = source === undefined ? '' : `from ${source} `;
      found.push(`${at} tracks no connection ${who}to ${request.destination}`);
    }
  }

  if (expect.blockedBy !== undefined && !isBlockedBy(expect.blockedBy, judgement.by)) {
    found.push(
      `blocked by: expected ${expect.blockedBy}, ${judgement.by ?? 'nothing'} by the model`,
    );
  }

  // What the model names must be what the kernel's own log names; routes and gateways write no log.
  const { by } = judgement;
  const isLogged = by !== undefined && /^(sg|acl|netpol)\//.test(by);
  if (isLogged && judgement.depends === undefined) {
    const { denied } = evidence;
    if (!denied.some((drop) => isDeniedBy(by, drop))) {
      const said = [...new Set(denied.map(renderDecision))];
      const logSays = said.length === 0 ? 'no denial' : said.join(', ');
      found.push(`the model says that ${by} stops it, the log of drops says ${logSays}`);
    }
  }

  // Where the model can't know, nothing is held against it.
  if (judgement.depends !== undefined) return found;
  // A difference between the model and the packets is a bug of one of the two, whatever the lab expects.
  const isNoName = outcome.verdict === 'no-such-name' && judgement.verdict === 'allowed';
  if (judgement.verdict !== outcome.verdict && !isNoName) {
    found.push(`the model predicts ${judgement.verdict}, the packets say ${outcome.verdict}`);
  } else if (
    evidence.first === undefined &&
    judgement.path.length > 1 &&
    outcome.verdict !== 'too-big'
  ) {
    found.push(
      `no packet of this probe was seen anywhere; the model predicts the path ${judgement.path.join(' > ')}`,
    );
  } else if (
    judgement.status !== undefined &&
    outcome.status !== undefined &&
    judgement.status !== outcome.status
  ) {
    found.push(`the model predicts the status ${judgement.status}, seen ${outcome.status}`);
  } else if (judgement.path.join(' > ') !== evidence.path.join(' > ')) {
    found.push(
      `the model predicts the path ${judgement.path.join(' > ')}, the packets took ${evidence.path.join(' > ')}`,
    );
  } else if (
    judgement.sourceSeen !== undefined &&
    sourceSeen !== undefined &&
    judgement.sourceSeen !== sourceSeen
  ) {
    found.push(
      `the model predicts the source ${judgement.sourceSeen}, the receiver saw ${sourceSeen}`,
    );
  }
  return found;
}

/** Four standard deviations: one in 16,000 is further away by chance. */
const SIGMAS = 4;

/** Whether the samples were answered by whom they should be, and as often. */
function findSpread({ probe, outcome, alternatives }: Seen): string[] {
  const { samples, expect } = probe;
  const { answers } = outcome;
  if (samples === undefined || answers === undefined || expect.verdict !== 'allowed') return [];
  const found: string[] = [];
  const answered = [...answers.values()].reduce((sum, one) => sum + one, 0);
  if (answered !== samples) found.push(`${samples - answered} of ${samples} samples had no answer`);
  const predicted = new Set(alternatives.flatMap(({ answeredBy }) => answeredBy ?? []));
  for (const who of answers.keys()) {
    if (!predicted.has(who))
      found.push(`${who} answered, which the model has not among those who may`);
  }
  if (expect.spread === 'one' && answers.size > 1) {
    found.push(`expected one to answer all, ${renderSpread(answers)}`);
  }
  if (expect.spread === 'even') {
    const share = 1 / predicted.size;
    const deviation = SIGMAS * Math.sqrt(samples * share * (1 - share));
    for (const who of predicted) {
      const times = answers.get(who) ?? 0;
      if (Math.abs(times - samples * share) <= deviation) continue;
      found.push(
        `${who} answered ${times} of ${samples}, and chance has it between ${Math.ceil(samples * share - deviation)} and ${Math.floor(samples * share + deviation)}`,
      );
    }
  }
  return found;
}

export function renderSpread(answers: ReadonlyMap<string, number>): string {
  return [...answers]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([who, times]) => `${who} ${times}`)
    .join(', ');
}

/** Whether a name led where it should, by the questions that it should. */
function findNames(cloud: Cloud, { probe, request, outcome }: Seen): string[] {
  const { addresses: wanted, asked } = probe.expect;
  if (probe.dns === undefined) return [];
  const found: string[] = [];
  const text = (list: readonly string[]): string => list.join(', ') || 'nothing';
  const sorted = (list: readonly string[]): string => text([...list].sort());
  const seen = outcome.addresses ?? [];
  if (wanted !== undefined && sorted(wanted) !== sorted(seen)) {
    found.push(`addresses: expected ${sorted(wanted)}, seen ${sorted(seen)}`);
  }
  if (asked !== undefined && text(asked) !== text(outcome.asked ?? [])) {
    found.push(`asked for: expected ${text(asked)}, seen ${text(outcome.asked ?? [])}`);
  }
  const predicted = resolveName(cloud, request.from, probe.dns);
  if (outcome.addresses !== undefined && sorted(predicted) !== sorted(seen)) {
    found.push(`the model predicts ${sorted(predicted)}, the server said ${sorted(seen)}`);
  }
  return found;
}

/** `sg/web` is any rule of the group's, `sg/web ingress` its ingress; of several groups each is meant. */
export function isBlockedBy(expected: string, by: string | undefined): boolean {
  if (by === undefined) return false;
  const [written = '', ...rest] = expected.split(' ');
  const object = written.replace(/^netpol\/([^/]+)$/, 'netpol/default/$1');
  const [objects = '', ...more] = by.split(' ');
  return objects.split(',').includes(object) && rest.every((word, index) => more[index] === word);
}

/**
 * Whether the log says what the model does; of groups that it leaves out it knows no more than how many they are, and of
 * network policies it names the first.
 */
export function isDeniedBy(by: string, drop: Pick<Drop, 'decision' | 'reason'>): boolean {
  const { decision } = drop;
  if (decision.kind === 'netpol') {
    const [policies = '', side] = by.split(' ');
    const [first = ''] = policies.split(',');
    const [begin = first] = renderDecision(drop).split(' ')[0]?.split('~') ?? [];
    const isFirst = decision.policy.endsWith('~')
      ? first.startsWith(begin)
      : first === `netpol/${decision.policy}`;
    return isFirst && side === decision.direction;
  }
  if (decision.kind !== 'sg' || decision.leftOut === 0) return by === renderDecision(drop);
  const { groups, leftOut, direction } = decision;
  const [objects = '', side] = by.split(' ');
  const carried = objects.split(',');
  return (
    side === direction &&
    carried.length === groups.length + leftOut &&
    groups.every((group, index) => carried[index] === `sg/${group}`)
  );
}

function escape(address: string): string {
  return address.replaceAll('.', '\\.');
}
