/**
 * How an answer finds its way back through a Network Load Balancer that left the client's address in the packet: the target
 * answers the client, and the VPC knows that the connection came by the load balancer's ENI.
 *
 * Kernel, in the VPC's netns: a connection that begins with a packet of such an ENI is marked (conntrack); what answers it
 * bears the mark, and a rule in front of the subnets' own leads it to the ENI, whatever the route tables say.
 *
 * @fidelity invented - AWS does not say how its fabric does that; what one sees of it is the same: no route is needed, and a
 *   packet that does not belong to a connection of the load balancer's goes its usual way
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-target-groups.html "Client IP preservation"
 */

import { as, because, type Because } from '../base/because.ts';
import { assignNumbers } from '../base/hash.ts';
import type { NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import { nftTable } from '../kernel/nft.ts';
import type { NetworkInterface } from './network-interface.ts';

/** Beyond the tables of route tables (vpc.ts). */
const FIRST_TABLE = 10_000;
const TABLES = 9000;
/** Before the rules of the subnets. */
const RULE_PRIORITY = 500;
/** After conntrack (-200), before the route is looked for. */
const RESTORE_PRIORITY = -140;

const BY_MAC = 'nlb-of-mac';

/** One that hands packets on with the client's address has no source check. */
export function planReturn(
  vpc: NetnsName,
  interfaces: readonly NetworkInterface[],
  why: Because,
): Fragment {
  const fragment = new Fragment();
  const balancers = interfaces.filter(({ preservesClients }) => preservesClients === true);
  if (balancers.length === 0) return fragment;
  const { table, set, chain, element } = nftTable(vpc, { family: 'inet', table: 'nlb' });
  fragment.add(
    why,
    table,
    set('map', BY_MAC, 'type ether_addr : mark;'),
    chain(
      'remember',
      [`ct state new ct mark set ether saddr map @${BY_MAC}`],
      'type filter hook forward priority 0; policy accept;',
    ),
    chain(
      'hand-back',
      ['ct direction reply ct mark != 0 meta mark set ct mark'],
      `type filter hook prerouting priority ${RESTORE_PRIORITY}; policy accept;`,
    ),
  );
  const tables = assignNumbers(
    balancers.map(({ id }) => id),
    FIRST_TABLE,
    TABLES,
  );
  for (const eni of balancers) {
    const number = tables.get(eni.id) ?? FIRST_TABLE;
    const mark = `0x${number.toString(16)}`;
    const of = as(because('nlb-return', eni.thing, eni.at), 'the way back of its connections');
    fragment.add(
      of,
      element(BY_MAC, eni.mac, `0x${number.toString(16).padStart(8, '0')}`),
      { kind: 'rule', netns: vpc, priority: RULE_PRIORITY, table: number, fwmark: mark },
      {
        kind: 'route',
        netns: vpc,
        table: number,
        type: 'unicast',
        destination: 'default',
        via: eni.addresses[0].address,
        link: eni.subnet.bridge,
        onlink: true,
      },
    );
  }
  return fragment;
}
