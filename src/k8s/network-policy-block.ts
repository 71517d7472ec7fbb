/**
 * ipBlock: the addresses that a NetworkPolicy's peer means, a block and what is left out of it.
 *
 * @see kubernetes v1.31 pkg/apis/networking/validation/validation.go ValidateIPBlock
 */

import type { Diagnostics } from '../base/diagnostic.ts';
import { type Cidr, containsCidr, parseCidr, parseIpv4, prefixLength } from '../base/ip.ts';
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
  if (isIpv6(cidr ?? '')) {
    diagnostics.warning(
      'policy-ipv6',
      where.at('cidr'),
      `ipBlock ${cidr ?? ''} matches nothing: a lab's addresses are IPv4`,
    );
    for (const [index, text] of (except ?? []).entries()) {
      if (isIpv6(text)) continue;
      const what = `except: "${text}" is not a CIDR block of IPv6, as ${cidr ?? ''} is`;
      const hint = 'write it like 2001:db8:0:1::/64';
      diagnostics.error('not-a-cidr', where.at('except', index), what, hint);
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
      diagnostics.error(
        'policy-except',
        at,
        `except ${one} is not inside of cidr ${block}`,
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

/** Eight groups, of which `::` stands for those that are missing. @see RFC 4291 2.2 */
function isIpv6(text: string): boolean {
  const [, address = '', length] = /^([0-9a-f:]*:[0-9a-f:]*)\/(\d{1,3})$/i.exec(mapped(text)) ?? [];
  const [before = '', after, ...more] = address.split('::');
  const groups = [before, after ?? ''].flatMap((part) => (part === '' ? [] : part.split(':')));
  return (
    length !== undefined &&
    Number(length) <= 128 &&
    more.length === 0 &&
    groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group)) &&
    (after === undefined ? groups.length === 8 : groups.length < 8)
  );
}

/** An address of IPv4 at the end stands for two groups: `::ffff:10.0.3.50`. */
function mapped(text: string): string {
  return text.replace(/(?<=:)[\d.]+(?=\/)/, (last) =>
    parseIpv4(last) === undefined ? last : '0:0',
  );
}
