/** What `doctor` found on a machine: what stands in a lab's way, what that costs, and how to mend it. */

import type { Machine } from '../kernel/machine.ts';
import { PLAIN, type Style } from './style.ts';
import { table } from './table.ts';

export interface Finding {
  readonly group: 'machine' | 'permission' | 'kernel' | 'tools' | 'optional';
  readonly what: string;
  /** `missing` and `old` keep every lab from running; `optional` is a gap that labs live with. */
  readonly state: 'ok' | 'missing' | 'old' | 'optional';
  readonly found: string;
  /** What does not work without it, in a lab's words; empty where all is well, as is `mend`. */
  readonly costs: string;
  readonly mend: string;
}

export interface Verdict {
  readonly runs: boolean;
  readonly findings: readonly Finding[];
}

/** Without a flag, Node runs TypeScript since 22.18 (its changelog: "type stripping is enabled by default"). */
const OLDEST_NODE = '22.18';
/** overlayfs in a user namespace (kernelnewbies.org/Linux_5.11). */
const OLDEST_KERNEL = '5.11';
/** unshare --map-auto (util-linux 2.38 release notes). */
const OLDEST_UNSHARE = '2.38';
/** Where the machine-wide neighbour table is full, the kernel forgets or refuses entries; 1024 is its default (arp(7)). */
const ROOMY_NEIGHBOURS = 4096;

const VAGRANT = 'vagrant up (README.md, "Two commands"): a Debian machine with all of it';
const NEWER_KERNEL = `a distribution's stock kernel, or: ${VAGRANT}`;
const NO_LAB = 'no lab';

/** Something that the script tries, and what a lab lacks where it fails. */
interface Trial {
  readonly what: string;
  readonly costs: string;
  readonly mend?: string;
}

const modules = (names: string): string =>
  `sudo modprobe -a ${names}; or a kernel that has them, as the Vagrant machine's`;
const READ_ONLY = 'in a container, /proc/sys is read-only: docker run --privileged';

const KERNEL: Readonly<Record<string, Trial>> = {
  netns: {
    what: 'network namespaces',
    costs: 'no pod, node or router has a network of its own: no lab',
    mend: 'in an unprivileged container they cannot be entered: docker run --privileged',
  },
  veth: { what: 'veth pairs', costs: 'no ENI: no lab', mend: modules('veth') },
  bridge: { what: 'bridges', costs: 'no subnet: no lab', mend: modules('bridge') },
  port: {
    what: 'isolated bridge ports that answer ARP',
    costs: 'no isolation within a subnet, no proxy ARP of the VPC: no lab',
    mend: modules('bridge'),
  },
  rule: {
    what: 'policy routing',
    costs: 'no route table per subnet or per ENI: no lab',
    mend: NEWER_KERNEL,
  },
  'nft-inet': {
    what: 'nft inet table, ct',
    costs: 'no security groups: no lab',
    mend: modules('nf_tables nft_ct'),
  },
  'nft-bridge': {
    what: 'nft bridge table',
    costs: 'no source/destination check, no isolation within a subnet: no lab',
    mend: modules('nf_tables nf_tables_bridge'),
  },
  'nft-log': {
    what: 'nft log to a group',
    costs: 'no rule that denies can be written, no log of denied packets: no lab',
    mend: modules('nft_log nfnetlink_log'),
  },
  'nft-set': {
    what: 'nft dynamic set',
    costs: 'no address is remembered from packets: no NAT gateway',
    mend: modules('nf_tables'),
  },
  'ipt-nat': {
    what: 'iptables SNAT',
    costs: 'no NAT gateway, no SNAT on the node: no lab',
    mend: modules('nft_compat nft_chain_nat xt_nat'),
  },
  'ipt-comment': {
    what: 'iptables comment',
    costs: "the VPC CNI's rules cannot be written: no lab",
    mend: modules('nft_compat xt_comment'),
  },
  'ipt-addrtype': {
    what: 'iptables addrtype',
    costs: "the VPC CNI's rules cannot be written: no lab",
    mend: modules('xt_addrtype'),
  },
  'ipt-conntrack': {
    what: 'iptables conntrack',
    costs: 'no connection is told from another: no lab',
    mend: modules('xt_conntrack'),
  },
  'ipt-CONNMARK': {
    what: 'iptables CONNMARK',
    costs: 'replies do not leave by the primary ENI: no lab with nodes',
    mend: modules('xt_connmark'),
  },
  'ipt-TTL': {
    what: 'iptables TTL',
    costs: 'the VPC would count as a hop: no lab',
    mend: modules('xt_HL'),
  },
  sysctl: {
    what: 'forwarding sysctl writable',
    costs: 'nothing is routed: no lab',
    mend: READ_ONLY,
  },
  'ct-sysctl': {
    what: 'conntrack sysctls writable',
    costs: 'no idle time-out as in AWS: no lab',
    mend: READ_ONLY,
  },
  capture: {
    what: 'capturing packets',
    costs: 'no probe has a path: no lab',
    mend: 'in a container: docker run --privileged; else check what the security module says (dmesg)',
  },
};

const LATER = 'no lab of today asks for it';

const OPTIONAL: Readonly<Record<string, Trial>> = {
  overlay: {
    what: 'overlay on /etc',
    costs: 'each lab copies /etc: slower, a few MB of memory',
    mend: `Linux ${OLDEST_KERNEL} or newer allows it to ordinary users`,
  },
  'ipt-statistic': {
    what: 'iptables statistic',
    costs: 'no Service with several endpoints',
    mend: modules('xt_statistic'),
  },
  'nft-trace': {
    what: 'nft trace',
    costs: 'no trace of a packet through the rules',
    mend: modules('nf_tables'),
  },
  netem: {
    what: 'tc netem',
    costs: `no delay or loss on a link; ${LATER}`,
    mend: modules('sch_netem'),
  },
  ipset: {
    what: 'ipset',
    costs: 'no NetworkPolicies',
    mend: modules('ip_set_hash_ip ip_set_hash_net ip_set_hash_ipport ip_set_hash_netiface xt_set'),
  },
  'nft-hash': {
    what: 'nft jhash and DNAT by a map',
    costs: 'no Network Load Balancers',
    mend: modules('nft_hash nft_nat'),
  },
  ipvs: {
    what: 'IPVS',
    costs: `no kube-proxy in IPVS mode; ${LATER}`,
    mend: modules('ip_vs xt_ipvs'),
  },
  vlan: { what: 'VLAN links', costs: `no pod ENIs on a trunk; ${LATER}`, mend: modules('8021q') },
  wireguard: {
    what: 'WireGuard',
    costs: `no encryption between nodes; ${LATER}`,
    mend: modules('wireguard'),
  },
  nfacct: {
    what: 'iptables nfacct',
    costs: `no kube-proxy metrics; ${LATER}`,
    mend: modules('xt_nfacct'),
  },
};

const POSTGRES = 'postgres';
const BRING_POSTGRES =
  'sudo sh scripts/bootstrap.sh postgres; as root such a lab brings it by itself';

/** What a lab cannot do without the tool. */
const TOOL_COSTS: Readonly<Record<string, string>> = {
  ip: 'no links, addresses, routes',
  iptables: 'no NAT gateway, no rules on the node',
  nft: 'no source/destination check, no security groups',
  conntrack: "no look into a NAT gateway's memory",
  tcpdump: 'no probe has a path',
  ping: 'no ping probe',
  curl: 'no HTTP probe',
  haproxy: 'no load balancer',
  dnsmasq: 'no DNS server',
  dig: 'no question to a DNS server by hand',
  socat: 'no TCP or UDP probe',
  ethtool: 'no offload is switched off',
  ipset: 'no ipset rules',
  perl: 'no server answers',
  postgres: 'no lab with a database',
  newuidmap: 'no ids of its own for a lab of a user other than root',
};

export function judgeMachine(machine: Machine): Verdict {
  const findings =
    machine.platform === 'linux'
      ? [
          ...judgeBasis(machine),
          ...judgePermission(machine),
          ...judgeTrials(machine, 'kernel', KERNEL, 'missing'),
          ...judgeTools(machine),
          ...judgeTrials(machine, 'optional', OPTIONAL, 'optional'),
        ]
      : [notLinux(machine)];
  return { runs: findings.every(({ state }) => state === 'ok' || state === 'optional'), findings };
}

function notLinux({ platform }: Machine): Finding {
  return {
    group: 'machine',
    what: 'Linux',
    state: 'missing',
    found: platform,
    costs: 'a lab is made of Linux network namespaces: no lab; plan, why, validate and graph work',
    mend: VAGRANT,
  };
}

function well(group: Finding['group'], what: string, found: string): Finding {
  return { group, what, state: 'ok', found, costs: '', mend: '' };
}

function judgeBasis(machine: Machine): Finding[] {
  const { node, kernel, os, container, sysctls } = machine;
  const group = 'machine';
  const findings = [
    isOlder(kernel, OLDEST_KERNEL)
      ? {
          group,
          what: 'Linux',
          state: 'old' as const,
          found: `${kernel}, ${os}`,
          costs: `labs are made for Linux ${OLDEST_KERNEL} or newer: no lab`,
          mend: VAGRANT,
        }
      : well(group, 'Linux', [kernel, os].filter((one) => one !== '').join(', ')),
    isOlder(node, OLDEST_NODE)
      ? {
          group,
          what: 'Node',
          state: 'old' as const,
          found: node,
          costs: `it does not run TypeScript: no command of Hoplab works`,
          mend: `Node ${OLDEST_NODE} or newer; npx hoplab and npm run lab bring one from npm by themselves`,
        }
      : well(group, 'Node', node),
  ] satisfies Finding[];
  const more: Finding[] = container === '' ? [] : [well(group, 'container', container)];
  const neighbours = sysctls['net.ipv4.neigh.default.gc_thresh3'];
  if (neighbours !== undefined) {
    const what = 'neighbour table';
    const found = `${neighbours} entries, all labs together`;
    more.push(
      Number(neighbours) >= ROOMY_NEIGHBOURS
        ? well(group, what, found)
        : {
            group,
            what,
            state: 'optional',
            found,
            costs: `labs of about ${neighbours} pods and more: "No buffer space available", on the machine too`,
            mend: 'sudo sysctl net.ipv4.neigh.default.gc_thresh3=16384',
          },
    );
  }
  return [...findings, ...more];
}

const NO_USERNS = 'no lab as an ordinary user';

function judgePermission(machine: Machine): Finding[] {
  const { uid, user, namespaces, tried } = machine;
  const group = 'permission';
  const what = 'namespaces of a lab';
  const as = uid === 0 ? 'as root' : `as ${user}`;
  const failed = namespaces !== '' ? namespaces : (tried['mounts'] ?? '');
  const gaps = uid === 0 ? [] : userGaps(machine, failed !== '');
  if (failed !== '') {
    // Where the reason is known, it says more than the refusal.
    if (gaps.length > 0) return gaps;
    return [
      {
        group,
        what,
        state: 'missing',
        found: failed,
        costs: NO_LAB,
        mend: refusal(machine),
      },
    ];
  }
  const proc = tried['proc'] ?? '';
  if (proc !== '') {
    gaps.push({
      group,
      what: '/proc and /sys of its own',
      state: 'missing',
      found: proc,
      costs: "a lab would see the machine's processes and links: no lab",
      mend: 'a container masks parts of /proc: docker run --privileged, or --security-opt systempaths=unconfined',
    });
  }
  const ids = uid === 0 ? [] : [well(group, 'subordinate ids', machine.subuid)];
  const isIdGap = gaps.some((gap) => gap.what === 'subordinate ids');
  return [well(group, what, as), ...(isIdGap ? [] : ids), ...gaps];
}

function refusal({ uid, container }: Machine): string {
  if (container !== '' || uid === 0) {
    return 'a container needs CAP_SYS_ADMIN and CAP_NET_ADMIN: docker run --privileged; else use the Vagrant machine';
  }
  return 'run it as root: sudo npx hoplab …';
}

/** Why a user other than root gets no namespaces, by what the machine says of itself. */
function userGaps(machine: Machine, isRefused: boolean): Finding[] {
  const { user, sysctls, subuid, subgid, tools } = machine;
  const group = 'permission';
  const gaps: Finding[] = [];
  const gap = (what: string, state: 'missing' | 'old', found: string, mend: string): void => {
    gaps.push({ group, what, state, found, costs: NO_USERNS, mend });
  };
  // Debian's own switch; and the count, which 0 forbids (namespaces(7), user_namespaces(7)).
  for (const name of ['kernel.unprivileged_userns_clone', 'user.max_user_namespaces']) {
    if (sysctls[name] !== '0') continue;
    const value = name.startsWith('user.') ? 10_000 : 1;
    gap('user namespaces', 'missing', `${name}=0`, `sudo sysctl ${name}=${value}; or run as root`);
  }
  // Ubuntu 23.10 and newer: unshare succeeds, then every capability is denied
  // (ubuntu.com/blog/ubuntu-23-10-restricted-unprivileged-user-namespaces). With a profile for unshare it may still work.
  const restricted = 'kernel.apparmor_restrict_unprivileged_userns';
  if (isRefused && sysctls[restricted] === '1') {
    gap(
      "user namespaces, Ubuntu's AppArmor restriction",
      'missing',
      `${restricted}=1`,
      `sudo sysctl ${restricted}=0; or an AppArmor profile that allows unshare \`userns\`; or run as root: sudo npx hoplab …`,
    );
  }
  if (subuid === '' || subgid === '') {
    const files = [subuid === '' ? '/etc/subuid' : '', subgid === '' ? '/etc/subgid' : ''];
    const found = `no range in ${files.filter((file) => file !== '').join(' and ')}`;
    gap(
      'subordinate ids',
      'missing',
      found,
      `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user}`,
    );
  }
  const unshare = tools.find(({ command }) => command === 'unshare');
  if (unshare?.isThere === true && isOlder(unshare.version, OLDEST_UNSHARE)) {
    const mend = `util-linux ${OLDEST_UNSHARE} or newer (Debian 12, Ubuntu 24.04, RHEL 10); or run as root`;
    gap('unshare --map-auto', 'old', `util-linux ${unshare.version}`, mend);
  }
  return gaps;
}

function judgeTrials(
  machine: Machine,
  group: 'kernel' | 'optional',
  trials: Readonly<Record<string, Trial>>,
  gap: 'missing' | 'optional',
): Finding[] {
  return Object.entries(trials).flatMap(
    ([key, { what, costs, mend = NEWER_KERNEL }]): Finding[] => {
      const said = machine.tried[key];
      // Not tried: there was nothing to try it in.
      if (said === undefined) return [];
      if (said === '') return [well(group, what, '')];
      // A WSL2 kernel has all of nft but this, and loads no module that its image does not hold.
      const isWsl = key === 'nft-bridge' && /microsoft/i.test(machine.kernel);
      return [
        {
          group,
          what,
          state: gap,
          found: said,
          costs,
          mend: isWsl
            ? `WSL2's own kernel has no nft bridge family: give it one that does (.wslconfig, kernel=…), or: ${VAGRANT}`
            : mend,
        },
      ];
    },
  );
}

function judgeTools(machine: Machine): Finding[] {
  const { tools, uid, like, iptables } = machine;
  const group = 'tools';
  const isNeeded = ({ command }: { command: string }): boolean =>
    command !== 'newuidmap' || uid !== 0;
  const needed = tools.filter(isNeeded);
  const isOptional = ({ command }: { command: string }): boolean => command === POSTGRES;
  const missing = needed.filter((tool) => !tool.isThere && !isOptional(tool));
  const packages = [...new Set(missing.map((one) => one.package))];
  const isDebian = like.some((id) => id === 'debian' || id === 'ubuntu');
  const mend = isDebian
    ? `sudo apt-get install -y --no-install-recommends ${packages.join(' ')}`
    : `your package manager; Debian calls them: ${packages.join(' ')}`;
  const findings = needed.map((tool): Finding => {
    const { command: what, isThere, version } = tool;
    if (!isThere && isOptional(tool)) {
      const costs = TOOL_COSTS[what] ?? '';
      return { group, what, state: 'optional', found: 'not found', costs, mend: BRING_POSTGRES };
    }
    if (!isThere) {
      const costs = `${TOOL_COSTS[what] ?? 'no namespaces'}: no lab`;
      return { group, what, state: 'missing', found: 'not found', costs, mend };
    }
    if (what === 'iptables' && iptables === 'legacy') {
      return {
        group,
        what,
        state: 'optional',
        found: `${version}, legacy`,
        costs: 'labs are tried with iptables-nft alone, as EKS nodes have it',
        mend: 'sudo update-alternatives --set iptables /usr/sbin/iptables-nft',
      };
    }
    return well(group, what, version);
  });
  return findings;
}

/** Compares by the numbers at the beginning; what has none is not older. */
function isOlder(version: string, oldest: string): boolean {
  const [have, want] = [version, oldest].map((text) =>
    (/^\d+(\.\d+)*/.exec(text)?.[0] ?? '').split('.').map(Number),
  );
  if (version === '' || have === undefined || want === undefined || Number.isNaN(have[0])) {
    return false;
  }
  for (const [at, number] of want.entries()) {
    const other = have[at] ?? 0;
    if (other !== number) return other < number;
  }
  return false;
}

const TITLES: Readonly<Record<Finding['group'], string>> = {
  machine: 'MACHINE',
  permission: 'PERMISSION',
  kernel: 'KERNEL',
  tools: 'TOOLS',
  optional: 'OPTIONAL',
};

export function renderDoctor(
  { platform, uid, user }: Machine,
  { runs, findings }: Verdict,
  style: Style = PLAIN,
): string {
  const mark = ({ state }: Finding): string => {
    if (state === 'ok') return style.green('✓');
    return state === 'optional' ? style.yellow('–') : style.red('✗');
  };
  // All groups in one table, so that the columns stand under each other; each group's title is put in afterwards.
  const rows = findings.map((one) => [mark(one), one.what, one.found]);
  const lines = table(['', '', ''], rows, style).split('\n').slice(1);
  const text = findings.flatMap((one, index) => {
    const [before, after] = [findings[index - 1], findings[index + 1]];
    const title = before?.group === one.group ? [] : [style.bold(TITLES[one.group])];
    const gap = index > 0 && title.length > 0 ? [''] : [];
    const costs = one.costs === '' ? [] : [`     ${style.dim('costs')}  ${one.costs}`];
    // Several that one command mends: it is said once, below the last.
    const isLast = after?.mend !== one.mend || after.group !== one.group;
    const mend = one.mend === '' || !isLast ? [] : [`     ${style.dim('mend')}   ${one.mend}`];
    return [...gap, ...title, ` ${lines[index] ?? ''}`, ...costs, ...mend];
  });
  return [...text, '', lastLine(platform, uid, user, runs, style)].join('\n');
}

function lastLine(
  platform: string,
  uid: number,
  user: string,
  runs: boolean,
  style: Style,
): string {
  if (platform !== 'linux') return style.red('labs do not run here');
  const as = uid === 0 ? 'as root' : `as ${user}`;
  return runs ? style.green(`labs run here ${as}`) : style.red(`labs do not run here ${as}`);
}
