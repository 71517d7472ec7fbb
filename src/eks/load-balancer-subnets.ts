/**
 * Where a load balancer is put: one subnet in each zone, public ones for an internet-facing load balancer, else private ones.
 *
 * @fidelity simplified - a subnet's routes say which it is, as where none bears a role tag (kubernetes.io/role/elb)
 * @see https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/deploy/subnet_discovery/
 */

import type { Subnet } from '../aws/subnet.ts';
import type { VpcGround } from '../aws/vpc.ts';
import { type Diagnostics, type SourceRef, suggest } from '../base/diagnostic.ts';

export interface SubnetChoice {
  readonly vpc: VpcGround;
  readonly isPublic: (subnet: Subnet) => boolean;
}

/** Reports `load-balancer-subnets` and `unknown-subnet`. */
export function chooseSubnets(
  wanted: {
    /** `Ingress "web"`: who needs them. */
    readonly what: string;
    /** Names or ids; undefined where they are to be found. */
    readonly names: readonly string[] | undefined;
    readonly scheme: 'internal' | 'internet-facing';
    readonly minZones: number;
    readonly at: SourceRef | undefined;
  },
  { vpc, isPublic }: SubnetChoice,
  diagnostics: Diagnostics,
): Subnet[] | undefined {
  const { what, names, at, minZones } = wanted;
  const all = [...vpc.subnets.values()];
  const wantsPublic = wanted.scheme === 'internet-facing';
  const candidates =
    names?.flatMap((word) => {
      const found = all.find((one) => one.name === word || one.id === word);
      if (found === undefined) {
        diagnostics.error(
          'unknown-subnet',
          at,
          `${what} names the subnet "${word}", which VPC "${vpc.name}" has not`,
          suggest(word, vpc.subnets.keys()),
        );
      }
      return found ?? [];
    }) ?? all.filter((subnet) => isPublic(subnet) === wantsPublic);
  const byZone = new Map(candidates.toReversed().map((subnet) => [subnet.az, subnet]));
  const chosen = [...byZone.values()].toReversed();
  if (chosen.length >= minZones) return chosen;
  const kind = wantsPublic ? 'public' : 'private';
  const zones = chosen.map(({ az }) => az).join(', ') || 'none';
  const elsewhere = minZones > 1 ? ', in another zone' : '';
  diagnostics.error(
    'load-balancer-subnets',
    at,
    `the load balancer of ${what} needs subnets in ${minZones === 1 ? 'a zone' : `${minZones} zones`}, and ${
      names === undefined
        ? `VPC "${vpc.name}" has ${kind} ones in ${zones}`
        : `those that it names are in ${zones}`
    }`,
    wantsPublic
      ? `add a subnet whose route table leads to the internet gateway${elsewhere}`
      : `add a subnet${minZones > 1 ? ' in another zone' : ' whose route table does not lead to the internet gateway'}, or set scheme: internet-facing`,
  );
  return undefined;
}
