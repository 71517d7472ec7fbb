/** What the machine itself has, in named sections of lines, and what came and went between two looks at it. */

import { run } from '../../src/host/exec.ts';

export type Snapshot = ReadonlyMap<string, readonly string[]>;

/** Each section is what a shell line prints; where the tool is not there, the section is empty. */
const SECTIONS: Readonly<Record<string, string>> = {
  links: 'ip -d -o link',
  routes: 'ip route show table all; ip -6 route show table all',
  rules: 'ip rule; ip -6 rule',
  iptables: 'iptables-nft-save; iptables-legacy-save; ip6tables-nft-save',
  nftables: 'nft -s list ruleset',
  sysctls:
    'cat /proc/sys/kernel/hostname; cd /proc/sys && find . -type f -readable | sort | xargs grep -Hs .',
  'named namespaces': 'ls /run/netns',
  '/etc': 'find /etc -xdev \\( -type f -exec sha256sum {} + \\) -o -printf "%p %l\\n"',
  // Without the numbers that the kernel gives to mounts and devices.
  mounts: 'cut -d" " -f4- /proc/self/mountinfo',
  'shared memory': 'ls /dev/shm; ipcs -m | tail -n +4',
};

/** What changes by itself, each with the reason. */
const BY_ITSELF: Readonly<Record<string, RegExp>> = {
  // Times of the snapshot and counters.
  iptables: /^#|^:.* \[\d+:\d+\]$/,
  sysctls: new RegExp(
    `^\\./(${[
      // Counters of open files, inodes, entries, keys, processes, connections, random bits.
      'fs/(dentry-state|file-nr|inode-nr|inode-state|aio-nr)',
      'kernel/(ns_last_pid|random/.*|pty/nr|keys/.*|tainted|perf_event_max_sample_rate)',
      'kernel/(cad_pid|sched_domain/.*|hung_task_detect_count)',
      'net/netfilter/nf_conntrack_count',
      // The tuning of the scheduler and of reclaim follows the load.
      'vm/(drop_caches|stat_refresh|nr_.*|compact_memory|lowmem_reserve_ratio)',
    ].join('|')}):`,
  ),
};

/** `prefix` runs the shell somewhere else than here: in namespaces of its own, for one. */
export async function takeSnapshot(prefix: readonly string[] = []): Promise<Snapshot> {
  const entries = Object.entries(SECTIONS).map(async ([name, line]) => {
    const { stdout } = await run(['env', ...prefix, 'sh', '-c', `{ ${line}; } 2>/dev/null`]);
    const dropped = BY_ITSELF[name];
    const lines = stdout.split('\n').filter((one) => one !== '' && dropped?.test(one) !== true);
    return [name, lines.sort()] as const;
  });
  return new Map(await Promise.all(entries));
}

/** `links: + 7: veth…`: what is there now and was not, and the other way round. A module that was loaded may add sysctls. */
export function differences(before: Snapshot, after: Snapshot): string[] {
  return [...before].flatMap(([name, lines]) => {
    const now = new Set(after.get(name));
    const then = new Set(lines);
    const keys = new Set(lines.map(keyOf));
    return [
      ...lines.filter((line) => !now.has(line)).map((line) => `${name}: - ${line}`),
      ...[...now]
        .filter((line) => !then.has(line) && (name !== 'sysctls' || keys.has(keyOf(line))))
        .map((line) => `${name}: + ${line}`),
    ];
  });
}

function keyOf(line: string): string {
  return line.slice(0, line.indexOf(':'));
}
