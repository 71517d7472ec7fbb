/** Word for word what iptables-save prints of a node of EKS; VPC 10.0.0.0/16, eth0 10.0.1.10. */

import t from 'tap';

import { because } from '../../src/base/because.ts';
import { Diagnostics } from '../../src/base/diagnostic.ts';
import { cidr, ipv4 } from '../../src/base/ip.ts';
import { netnsName } from '../../src/base/names.ts';
import { excludedCidrs, planSnat } from '../../src/eks/snat.ts';
import { CniSpec } from '../../src/eks/vpc-cni.ts';
import { mergeFragments } from '../../src/kernel/fragment.ts';
import { renderRule } from '../../src/kernel/state.ts';
import { SourceTree } from '../../src/source/yaml.ts';

/** `TABLE CHAIN RULE`, a chain without rules as `TABLE CHAIN`, and the routing rules; by chain, in each in order. */
function rules(settings: Record<string, unknown>): string[] {
  const cni = CniSpec.parse(settings);
  const diagnostics = new Diagnostics();
  const where = new SourceTree('f', {}, new Map()).where();
  const fragment = planSnat(
    netnsName('node-1'),
    {
      primaryAddress: ipv4('10.0.1.10'),
      vpcCidrs: [cidr('10.0.0.0/16')],
      excluded: excludedCidrs(cni, where, diagnostics),
      settings: cni,
    },
    because('node', 'node/node-1'),
  );
  const state = mergeFragments(
    fragment,
    { postgres: '', responder: '', dropLog: '', clusterDns: '', nlbTargets: '' },
    diagnostics,
  );
  return [...state.values()]
    .flatMap(({ object }) => {
      if (object.kind === 'rule') return [[`rule ${renderRule(object)}`]];
      if (object.kind !== 'iptables-chain') return [];
      const chain = `${object.table} ${object.chain}`;
      return [object.rules.length === 0 ? [chain] : object.rules.map((rule) => `${chain} ${rule}`)];
    })
    .sort(([one = ''], [other = '']) => (one < other ? -1 : 1))
    .flat();
}

const RESTORE = '-j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80';
const MANGLE_NODE_PORT =
  'mangle PREROUTING -i eth0 -m comment --comment "AWS, primary ENI" -m addrtype --dst-type LOCAL --limit-iface-in -j CONNMARK --set-xmark 0x80/0x80';
const MANGLE_ENI = `mangle PREROUTING -i eni+ -m comment --comment "AWS, primary ENI" ${RESTORE}`;
const MANGLE_VLAN = `mangle PREROUTING -i vlan+ -m comment --comment "AWS, primary ENI" ${RESTORE}`;
const HOOKS = [
  'nat POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0',
  'nat PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0',
  `nat PREROUTING -m comment --comment "AWS, CONNMARK" ${RESTORE}`,
];
const CONNMARK = [
  'nat AWS-CONNMARK-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS CONNMARK CHAIN, VPC CIDR" -j RETURN',
  'nat AWS-CONNMARK-CHAIN-0 -m comment --comment "AWS, CONNMARK" -j CONNMARK --set-xmark 0x80/0x80',
];
const SNAT = [
  'nat AWS-SNAT-CHAIN-0 -d 10.0.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN',
  'nat AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL -j SNAT --to-source 10.0.1.10 --random-fully',
];
const EMPTY_CHAINS = ['nat AWS-CONNMARK-CHAIN-0', 'nat AWS-SNAT-CHAIN-0'];
const RULE = 'rule priority 1024 fwmark 0x80/0x80 lookup main';
const MANGLE = [MANGLE_NODE_PORT, MANGLE_ENI, MANGLE_VLAN];

t.test('by default a node translates what leaves the VPC', async (t) => {
  t.strictSame(rules({}), [...MANGLE, ...CONNMARK, ...SNAT, ...HOOKS, RULE]);
});

t.test('EXTERNALSNAT=true: the mangle rules stay, the chains stand empty', async (t) => {
  t.strictSame(rules({ AWS_VPC_K8S_CNI_EXTERNALSNAT: 'true' }), [...MANGLE, ...EMPTY_CHAINS, RULE]);
});

t.test('NODE_PORT_SUPPORT=false: of the mangle rules only that of the pods stays', async (t) => {
  t.strictSame(rules({ AWS_VPC_CNI_NODE_PORT_SUPPORT: false }), [
    MANGLE_ENI,
    ...CONNMARK,
    ...SNAT,
    ...HOOKS,
    RULE,
  ]);
});

t.test('neither: no mark, and no rule 1024', async (t) => {
  t.strictSame(
    rules({ AWS_VPC_K8S_CNI_EXTERNALSNAT: true, AWS_VPC_CNI_NODE_PORT_SUPPORT: 'false' }),
    EMPTY_CHAINS,
  );
});

t.test('excluded blocks stand before the VPC, the last one first', async (t) => {
  const found = rules({ AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: '192.168.0.0/16, 172.16.0.0/12' });
  const excluded = (chain: string, comment: string): string[] =>
    ['172.16.0.0/12', '192.168.0.0/16'].map(
      (block) => `nat ${chain} -d ${block} -m comment --comment "${comment}" -j RETURN`,
    );
  t.strictSame(found, [
    ...MANGLE,
    ...excluded('AWS-CONNMARK-CHAIN-0', 'AWS CONNMARK CHAIN, EXCLUDED CIDR'),
    ...CONNMARK,
    ...excluded('AWS-SNAT-CHAIN-0', 'AWS SNAT CHAIN EXCLUSION'),
    ...SNAT,
    ...HOOKS,
    RULE,
  ]);
});

t.test('0.0.0.0/0 as an excluded block has no -d', async (t) => {
  const found = rules({ AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: '0.0.0.0/0' });
  t.equal(
    found.find((line) => line.includes('EXCLUSION')),
    'nat AWS-SNAT-CHAIN-0 -m comment --comment "AWS SNAT CHAIN EXCLUSION" -j RETURN',
  );
});

t.test('how the source port is chosen', async (t) => {
  const ending = (kind: string): string | undefined =>
    rules({ AWS_VPC_K8S_CNI_RANDOMIZESNAT: kind })
      .find((line) => line.includes('-j SNAT'))
      ?.replace(/.*-j SNAT /, '');
  t.strictSame(['prng', 'hashrandom', 'none'].map(ending), [
    '--to-source 10.0.1.10 --random-fully',
    '--to-source 10.0.1.10 --random',
    '--to-source 10.0.1.10',
  ]);
});
