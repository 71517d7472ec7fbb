/** What the reading scripts printed, taken apart; see `read-script.ts`. */

import { netnsName, type NetnsName } from '../base/names.ts';
import { SECTION } from './read-script.ts';

/** What was read in one namespace, tool by tool. */
export interface NetnsText {
  /** Four JSON documents, a line each: addresses with their links, routes, rules, permanent neighbours. */
  readonly ip: string;
  readonly fdb: string;
  readonly nft: string;
  readonly iptables: string;
  readonly ipset: string;
  /** `file:line`, of the files that list sockets and of sysctls. */
  readonly proc: string;
}

export interface ReadTexts {
  readonly netns: ReadonlyMap<NetnsName, NetnsText>;
  readonly files: ReadonlyMap<string, string>;
  /** What the process behind a server's pid file says of its configuration. */
  readonly daemons: ReadonlyMap<string, string>;
}

const NOTHING: NetnsText = { ip: '', fdb: '', nft: '', iptables: '', ipset: '', proc: '' };

/** `undefined` when one of the texts ends early: its reader was cut off. */
export function parseSections(texts: readonly string[]): ReadTexts | undefined {
  const netns = new Map<NetnsName, NetnsText>();
  const files = new Map<string, string>();
  const daemons = new Map<string, string>();
  for (const text of texts) {
    let here = netnsName('');
    let isWhole = false;
    for (const section of `\n${text}`.split(`\n${SECTION}`).slice(1)) {
      const end = section.indexOf('\n');
      const head = end < 0 ? section : section.slice(0, end);
      const body = end < 0 ? '' : section.slice(end + 1);
      const [kind = '', name = ''] = head.split(' ');
      if (kind === 'netns') {
        here = netnsName(name);
        netns.set(here, NOTHING);
      } else if (kind === 'file') files.set(name, body);
      else if (kind === 'daemon') daemons.set(name, body.trim());
      else if (kind === 'end') isWhole = true;
      else if (kind in NOTHING) netns.set(here, { ...(netns.get(here) ?? NOTHING), [kind]: body });
    }
    if (!isWhole) return undefined;
  }
  return { netns, files, daemons };
}
