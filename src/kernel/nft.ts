/** What stands in one table of nftables, without saying each time which table it is. */

import type { NetnsName } from '../base/names.ts';
import type { NftChain, NftElement, NftFamily, NftSet, NftTable } from './state.ts';

export interface NftTableWords {
  readonly table: NftTable;
  readonly set: (type: NftSet['type'], name: string, body: string) => NftSet;
  /** `data` is a map's value. */
  readonly element: (set: string, element: string, data?: string) => NftElement;
  /** `hook` as of a base chain. */
  readonly chain: (name: string, rules: readonly string[], hook?: string) => NftChain;
}

export function nftTable(
  netns: NetnsName,
  { family, table }: { readonly family: NftFamily; readonly table: string },
): NftTableWords {
  const here = { netns, family, table };
  return {
    table: { kind: 'nft-table', ...here },
    set: (type, set, body) => ({ kind: 'nft-set', ...here, type, set, body }),
    element: (set, element, data) => ({
      kind: 'nft-element',
      ...here,
      set,
      element,
      ...(data === undefined ? {} : { data }),
    }),
    chain: (chain, rules, hook) => ({
      kind: 'nft-chain',
      ...here,
      chain,
      ...(hook === undefined ? {} : { hook }),
      rules,
    }),
  };
}
