/**
 * A DB subnet group: the subnets that RDS may put a DB instance's network interface into, in at least two zones.
 *
 * Kernel: nothing. It is where db-instance.ts looks for a subnet.
 *
 * @fidelity same - two zones at least, every subnet of one VPC; simplified - of a zone's subnets the first one is taken
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html "Working with DB subnet groups"
 */

import * as z from 'zod';

import type { Diagnostics, SourceRef } from '../base/diagnostic.ts';
import type { Where } from '../source/yaml.ts';
import { findSubnet, type Subnet } from './subnet.ts';

export const DbSubnetGroupSpec = z.strictObject({
  subnets: z.array(z.string()).describe('Its subnets, of at least two availability zones'),
});

export interface DbSubnetGroup {
  readonly name: string;
  /** In the order in which they were written. */
  readonly subnets: readonly Subnet[];
  readonly at: SourceRef;
}

/** @see DBSubnetGroupDoesNotCoverEnoughAZs of the RDS API, CreateDBSubnetGroup "Errors" */
const ZONES = 2;

/** Reports `unknown-subnet` and `db-subnet-group-zones`. */
export function resolveDbSubnetGroup(
  vpc: { readonly name: string; readonly subnets: ReadonlyMap<string, Subnet> },
  name: string,
  spec: z.output<typeof DbSubnetGroupSpec>,
  where: Where,
  diagnostics: Diagnostics,
): DbSubnetGroup {
  const subnets = spec.subnets.flatMap(
    (one, index) => findSubnet(vpc, one, where.at('subnets', index), diagnostics) ?? [],
  );
  const zones = zonesOf({ subnets });
  // One that is not there may be what is missing.
  if (subnets.length === spec.subnets.length && zones.length < ZONES) {
    diagnostics.error(
      'db-subnet-group-zones',
      where.at('subnets'),
      `DB subnet group "${name}" is in ${zones.length === 0 ? 'no zone' : `${zones.join(', ')} alone`}, and RDS wants ${ZONES} availability zones`,
      'add a subnet of another zone, also where the database stays in one',
    );
  }
  return { name, subnets, at: where.keyAt() };
}

/** Each once. */
export function zonesOf({ subnets }: Pick<DbSubnetGroup, 'subnets'>): string[] {
  return [...new Set(subnets.map(({ az }) => az))];
}
