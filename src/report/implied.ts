/** Steps without those that say nothing to a reader: that a link which is made is put up, and what a namespace is born with. */

import type { Step } from '../kernel/diff.ts';
import { isBirthRule } from '../kernel/netns.ts';
import { linkKey } from '../kernel/state.ts';

export function withoutImplied(steps: readonly Step[]): Step[] {
  const born = new Set<string>();
  for (const { action, planned } of steps) {
    const { object } = planned;
    if (action === 'remove') continue;
    if (object.kind === 'netns') born.add(object.netns).add(linkKey(object.netns, 'lo'));
    if (object.kind === 'veth')
      for (const end of object.ends) born.add(linkKey(end.netns, end.link));
    if (object.kind === 'bridge') born.add(linkKey(object.netns, object.link));
  }
  return steps.filter(({ action, planned: { object } }) => {
    if (action === 'remove') return true;
    if (object.kind === 'link-up') return !born.has(linkKey(object.netns, object.link));
    return !(object.kind === 'rule' && isBirthRule(object) && born.has(object.netns));
  });
}
