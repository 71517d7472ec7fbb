/** A judgement as text: the verdict and what decides first, then every decision on the way there and back. */

import { renderSourceRef } from '../base/diagnostic.ts';
import type { Ipv4 } from '../base/ip.ts';
import type { Judgement } from '../judge/judge.ts';
import { PLAIN, type Style } from './style.ts';

export interface WhyQuestion {
  readonly from: string;
  /** As the user wrote it. */
  readonly to: string;
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  readonly destination: Ipv4;
  readonly port: number;
}

export function renderWhy(
  question: WhyQuestion,
  judgement: Judgement,
  style: Style = PLAIN,
): string {
  const { verdict, code, by, because, remedy, depends } = judgement;
  const color = verdict === 'allowed' ? style.green : style.red;
  const lines = [
    `${style.bold(`${question.from} -> ${renderTarget(question)}`)}: ${color(verdict)}  ${style.dim(code)}`,
    `  ${because}`,
  ];
  if (depends !== undefined) lines.push(`  not for sure: ${depends}`);
  if (verdict !== 'allowed') {
    if (by !== undefined) lines.push(`  decided by: ${style.bold(by)}`);
    if (remedy !== undefined) lines.push(`  to let it pass: ${remedy}`);
  }
  lines.push('', ...renderWay('there', judgement.path, judgement.notes, style));
  if (judgement.replyPath.length > 0) {
    lines.push('', ...renderWay('back', judgement.replyPath, judgement.replyNotes, style));
  }
  return lines.join('\n');
}

function renderTarget({ to, protocol, destination, port }: WhyQuestion): string {
  const bare = to.replace(/:\d+$/, '');
  const address = bare === destination ? destination : `${bare} (${destination})`;
  return protocol === 'icmp' ? `${address} ping` : `${address} ${protocol} ${port}`;
}

function renderWay(
  title: string,
  path: readonly string[],
  notes: Judgement['notes'],
  style: Style,
): string[] {
  const lines = [`${style.bold(title.padEnd(6))}${path.join(' > ')}`];
  const width = Math.max(0, ...notes.map(({ where }) => where.length));
  const told = new Set<string>();
  for (const { where, text, at } of notes) {
    // A circle says the same sixty times over.
    const key = `${where} ${text}`;
    if (told.has(key)) continue;
    told.add(key);
    const line = at === undefined ? '' : style.dim(`  ${renderSourceRef(at)}`);
    lines.push(`  ${where.padEnd(width)}  ${text}${line}`);
  }
  return lines;
}

export function whyAsJson(question: WhyQuestion, judgement: Judgement): unknown {
  return { question, ...judgement };
}
