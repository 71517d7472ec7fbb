/** What `iptables-save` prints, as chains. */

import type { NetnsName } from '../base/names.ts';
import type { IptablesChain, IptablesTable } from './state.ts';

/** The kernel's own chains come only where they say something: another policy than ACCEPT, or rules. */
export function parseIptables(netns: NetnsName, text: string): IptablesChain[] {
  const chains: { table: IptablesTable; chain: string; policy: string; rules: string[] }[] = [];
  let table: IptablesTable = 'filter';
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1) as IptablesTable;
    else if (line.startsWith(':')) {
      const [chain = '', policy = '-'] = line.slice(1).split(' ');
      chains.push({ table, chain, policy, rules: [] });
    } else if (line.startsWith('-A ')) {
      const [, chain = '', rule = ''] = /^-A (\S+) ?(.*)$/.exec(line) ?? [];
      chains.find((one) => one.table === table && one.chain === chain)?.rules.push(rule);
    }
  }
  return chains.flatMap(({ policy, ...chain }): IptablesChain[] => {
    if (policy === 'ACCEPT' && chain.rules.length === 0) return [];
    const isOwn = policy === 'ACCEPT' || policy === 'DROP';
    return [{ kind: 'iptables-chain', netns, ...chain, ...(isOwn ? { policy } : {}) }];
  });
}
