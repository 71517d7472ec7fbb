/**
 * ipBlock: the addresses that a NetworkPolicy's peer means, a block and what is left out of it.
 *
 * @see kubernetes v1.31 pkg/apis/networking/validation/validation.go ValidateIPBlock
 */

import type { Diagnostics, SourceRef } from '../base/diagnostic.ts';
import { type Cidr, containsCidr, parseCidr, parseIpv6Block, prefixLength } from '../base/ip.ts';
import type { Where } from '../source/yaml.ts';

export interface IpBlock {
  readonly cidr: Cidr;
  readonly except: readonly Cidr[];
}

/** Reports `not-a-cidr`, `policy-except` and `policy-ipv6`; undefined for what is no block of IPv4. */
export function readBlock(
  {
    cidr,
    except,
  }: {
    readonly cidr?: string | null | undefined;
    readonly except?: readonly string[] | null | undefined;
  },
  where: Where,
  diagnostics: Diagnostics,
): IpBlock | undefined {
  const ofIpv6 = parseIpv6Block(cidr ?? '');
  if (ofIpv6 !== undefined) {
    diagnostics.warning(
      'policy-ipv6',
      where.at('cidr'),
      `ipBlock ${cidr ?? ''} matches nothing: a lab's addresses are IPv4`,
    );
    for (const [index, text] of (except ?? []).entries()) {
      const at = where.at('except', index);
      const part = parseIpv6Block(text);
      if (part === undefined) {
        const what = `except: "${text}" is not a CIDR block of IPv6, as ${cidr ?? ''} is`;
        diagnostics.error('not-a-cidr', at, what, 'write it like 2001:db8:0:1::/64');
      } else if (!ofIpv6.contains(part) || part.isEquals(ofIpv6)) {
        reportOutside(text, cidr ?? '', at, diagnostics);
      }
    }
    return undefined;
  }
  const block = parseCidr(cidr ?? '');
  if (block === undefined) {
    diagnostics.error(
      'not-a-cidr',
      where.at('cidr'),
      (cidr ?? '') === '' ? 'ipBlock lacks "cidr"' : `cidr: "${cidr ?? ''}" is not a CIDR block`,
      'write it like 10.0.3.0/24; one address is 10.0.3.50/32',
    );
  }
  const left = (except ?? []).flatMap((text, index) => {
    const at = where.at('except', index);
    const one = parseCidr(text);
    if (one === undefined) {
      const hint = 'write it like 10.0.3.0/24; one address is 10.0.3.50/32';
      diagnostics.error('not-a-cidr', at, `except: "${text}" is not a CIDR block`, hint);
    } else if (block !== undefined && !isInside(block, one)) {
      reportOutside(one, block, at, diagnostics);
    }
    return one ?? [];
  });
  return block === undefined ? undefined : { cidr: block, except: left };
}

function isInside(block: Cidr, part: Cidr): boolean {
  return containsCidr(block, part) && prefixLength(part) > prefixLength(block);
}

function reportOutside(part: string, block: string, at: SourceRef, diagnostics: Diagnostics): void {
  const hint = 'leave out a smaller part of the block: all of it is no part';
  diagnostics.error('policy-except', at, `except ${part} is not inside of cidr ${block}`, hint);
}
