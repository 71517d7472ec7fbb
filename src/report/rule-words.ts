/** A listener's rule in one short line: `2 shop.example /api (prefix) to default-api-80-ip`. */

import type { ListenerRule } from '../aws/application-load-balancer.ts';
import { actionOf, pathWords } from './balancer-sections.ts';

const LONGEST_WORD = 40;
const LONGEST_ACTION = 60;

export function ruleWords(rule: ListenerRule): string {
  const { priority, hosts, paths, conditions } = rule;
  const asked = [
    ...(hosts.length === 0 ? [] : [firstOf(hosts)]),
    ...(paths.length === 0 ? [] : [firstOf(paths.map(pathWords))]),
    ...(conditions.length === 0
      ? []
      : [`with ${firstOf(conditions.map((one) => ('header' in one ? one.header : one.field)))}`]),
  ];
  const [action] = actionOf(rule);
  return [
    priority,
    ...(asked.length === 0 ? ['any'] : asked),
    shorten(action, LONGEST_ACTION),
  ].join(' ');
}

function firstOf(words: readonly string[]): string {
  const [first = '', ...others] = words;
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  return `${shorten(first, LONGEST_WORD)}${more}`;
}

export function shorten(text: string, letters: number): string {
  return text.length <= letters ? text : `${text.slice(0, letters - 1)}…`;
}
