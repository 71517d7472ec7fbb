/** What `iptables-save` prints, as chains. */

import type { NetnsName } from '../base/names.ts';
import type { IptablesChain, IptablesTable } from './state.ts';

/** The kernel's own chains come only where they say something: another policy than ACCEPT, or rules. */
export function parseIptables(netns: NetnsName, text: string): IptablesChain[] {
  const chains: { table: IptablesTable; chain: string; policy: string; rules: string[] }[] = [];
  // A node has thousands of them, and a look at all for each rule takes minutes.
  const rulesOf = new Map<string, string[]>();
  let table: IptablesTable = 'filter';
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1) as IptablesTable;
    else if (line.startsWith(':')) {
      const [chain = '', policy = '-'] = line.slice(1).split(' ');
      const rules: string[] = [];
      chains.push({ table, chain, policy, rules });
      rulesOf.set(`${table} ${chain}`, rules);
    } else if (line.startsWith('-A ')) {
      const [, chain = '', rule = ''] = /^-A (\S+) ?(.*)$/.exec(line) ?? [];
      rulesOf.get(`${table} ${chain}`)?.push(rule);
    }
  }
  return chains.flatMap(({ policy, ...chain }): IptablesChain[] => {
    if (policy === 'ACCEPT' && chain.rules.length === 0) return [];
    const isOwn = policy === 'ACCEPT' || policy === 'DROP';
    return [{ kind: 'iptables-chain', netns, ...chain, ...(isOwn ? { policy } : {}) }];
  });
}
