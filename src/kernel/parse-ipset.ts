/** What `ipset save` prints, as sets with their members. */

import type { NetnsName } from '../base/names.ts';
import { FIXED_IPSET_SETTINGS } from './render-ipset.ts';
import type { IpSet } from './state.ts';

/** What the kernel chooses by itself, each with a value. Older tools print fewer of them. */
const CHOSEN = /^(hashsize|bucketsize|initval)$/;

export function parseIpsets(netns: NetnsName, text: string): IpSet[] {
  const sets = new Map<string, { type: string; settings: string; members: string[] }>();
  for (const line of text.split('\n')) {
    const [verb, name = '', ...rest] = line.split(' ');
    if (verb === 'create') {
      const [type = '', ...words] = rest;
      const isChosen = (index: number): boolean => CHOSEN.test(words[index] ?? '');
      const settings = words.filter((_, index) => !isChosen(index) && !isChosen(index - 1));
      sets.set(name, { type, settings: settings.join(' '), members: [] });
    } else if (verb === 'add') sets.get(name)?.members.push(rest.join(' '));
  }
  return [...sets].map(([set, { type, settings, members }]): IpSet => ({
    kind: 'ipset',
    netns,
    set,
    type,
    members: members.sort(),
    ...(settings === FIXED_IPSET_SETTINGS ? {} : { unlike: `made with ${settings}` }),
  }));
}
