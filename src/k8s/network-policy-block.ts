/**
 * ipBlock: the addresses that a NetworkPolicy's peer means, a block and what is left out of it.
 *
 * @see kubernetes v1.31 pkg/apis/networking/validation/validation.go ValidateIPBlock
 */

import type { Diagnostics } from '../base/diagnostic.ts';
import {
  type Cidr,
  containsCidr,
  isPartOfIpv6,
  parseCidr,
  parseIpv6Block,
  prefixLength,
} from '../base/ip.ts';
import type { Where } from '../source/yaml.ts';

export interface IpBlock {
  readonly cidr: Cidr;
  readonly except: readonly Cidr[];
}

interface WrittenBlock {
  readonly cidr?: string | null | undefined;
  readonly except?: readonly string[] | null | undefined;
}

const HINT = 'write it like 10.0.3.0/24; one address is 10.0.3.50/32';

/** Reports `not-a-cidr`, `policy-except` and `policy-ipv6`; undefined for what is no block of IPv4. */
export function readBlock(
  { cidr, except }: WrittenBlock,
  where: Where,
  diagnostics: Diagnostics,
): IpBlock | undefined {
  const text = cidr ?? '';
  const block = parseCidr(text);
  const ipv6 = parseIpv6Block(text);
  if (ipv6 !== undefined) {
    diagnostics.warning(
      'policy-ipv6',
      where.at('cidr'),
      `ipBlock ${text} matches nothing: a lab's addresses are IPv4`,
    );
  } else if (block === undefined) {
    diagnostics.error(
      'not-a-cidr',
      where.at('cidr'),
      text === '' ? 'ipBlock lacks "cidr"' : `cidr: "${text}" is not a CIDR block`,
      HINT,
    );
  }
  const left = (except ?? []).flatMap((part, index) => {
    const at = where.at('except', index);
    const one = parseCidr(part);
    const other = parseIpv6Block(part);
    if (one === undefined && other === undefined) {
      diagnostics.error('not-a-cidr', at, `except: "${part}" is not a CIDR block`, HINT);
      return [];
    }
    const isPart =
      (block !== undefined && one !== undefined && isInside(block, one)) ||
      (ipv6 !== undefined && other !== undefined && isPartOfIpv6(ipv6, other));
    if (!isPart && (block ?? ipv6) !== undefined) {
      diagnostics.error(
        'policy-except',
        at,
        `except ${one ?? part} is not inside of cidr ${block ?? text}`,
        'leave out a smaller part of the block: all of it is no part',
      );
    }
    return one ?? [];
  });
  return block === undefined ? undefined : { cidr: block, except: left };
}

function isInside(block: Cidr, part: Cidr): boolean {
  return containsCidr(block, part) && prefixLength(part) > prefixLength(block);
}
