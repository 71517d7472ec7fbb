/**
 * The script that reads the kernel back: everything that a plan may say something about, as the kernel's own tools print
 * it, in sections that `parse-sections.ts` takes apart. It asks for what the plan names (files, sysctls, servers), and for
 * all there is of what somebody may have added (namespaces, links, addresses, routes, rules, neighbours, firewalls).
 *
 * One `ip`, one `nft`, one `grep` a namespace; `bridge`, `ipset` and `iptables-save` only where there is something for them.
 */

import type { NetnsName } from '../base/names.ts';
import { BOUND_FILES } from './name-server.ts';
import { DIGEST_VARIABLE } from './daemon.ts';
import type { KernelState } from './state.ts';

/** Begins a line that begins a section; no tool prints it. */
export const SECTION = '\u001E';

/** Locked while a server starts, until it has its sockets and its pid file. */
export const STARTING = '/run/hoplab/starting';

/** What `sh -s` reads; `share` says which of the namespaces, so that two readers can divide the work. */
export function renderReadScript(
  planned: KernelState,
  share: { readonly index: number; readonly of: number } = { index: 0, of: 1 },
): string {
  const sysctls = new Map<NetnsName, string[]>();
  const bridged = new Set<NetnsName>();
  const withSets = new Set<NetnsName>();
  for (const { object } of planned.values()) {
    if (object.kind === 'bridge') bridged.add(object.netns);
    if (object.kind === 'ipset') withSets.add(object.netns);
    if (object.kind !== 'sysctl') continue;
    const list = sysctls.get(object.netns) ?? [];
    list.push(object.path);
    sysctls.set(object.netns, list);
  }
  const lines = [
    `flock ${STARTING} true`,
    READ_NETNS,
    `bridged=' ${[...bridged].join(' ')} '`,
    `with_sets=' ${[...withSets].join(' ')} '`,
    'cd /run/netns || exit 1',
    'count=0',
    'for netns in *; do',
    '  [ -e "$netns" ] || continue',
    `  count=$(((count + 1) % ${share.of}))`,
    `  [ $count = ${share.index} ] || continue`,
    '  case $bridged in *" $netns "*) fdb=fdb ;; *) fdb= ;; esac',
    '  case $with_sets in *" $netns "*) ipset=ipset ;; *) ipset= ;; esac',
    '  sysctls=',
    '  case $netns in',
    ...[...sysctls].map(([netns, paths]) => `    ${netns}) sysctls='${paths.join(' ')}' ;;`),
    '  esac',
    '  nsenter --net="/run/netns/$netns" sh -c "$read_netns" "$netns" "$fdb" "$ipset" $sysctls',
    'done',
    ...(share.index === 0 ? readSandbox(planned) : []),
    `printf '\\036end\\n'`,
  ];
  return `${lines.join('\n')}\n`;
}

/** Who listens in a namespace. They come before the sysctls, each line behind its file's name. */
export const SOCKET_FILES = [
  '/proc/self/net/tcp',
  '/proc/self/net/udp',
  '/proc/self/net/netfilter/nfnetlink_log',
] as const;

/** `$0` is the namespace; `$1` is set where its bridges are asked for, `$2` where its sets are; the rest are sysctls. */
const READ_NETNS = `read_netns='
section() { printf "\\036%s\\n" "$1"; }
section "netns $0"
section ip
ip -j -d -force -batch - <<END
addr show
route show table all
rule show
neigh show nud permanent
END
[ -z "$1" ] || { section fdb; bridge -j fdb show; }
[ -z "$2" ] || { section ipset; ipset save; }
shift 2
section nft
nft=$(nft -y -s list ruleset)
printf "%s\\n" "$nft"
case $nft in *"table ip raw {"* | *"table ip mangle {"* | *"table ip nat {"* | *"table ip filter {"* | *"table ip security {"*)
  section iptables
  iptables-nft-save ;;
esac
section proc
cd /proc/sys && grep -Hs . ${SOCKET_FILES.join(' ')} "$@"
:'`;

/** What belongs to no namespace. A server is known by what its process was started with, not by its pid file alone. */
function readSandbox(planned: KernelState): string[] {
  const bound: string[] = [];
  const lines = [...planned.values()].flatMap(({ object }) => {
    if (object.kind === 'file') {
      const { path } = object;
      if (path.startsWith(BOUND_FILES)) {
        bound.push(path);
        return [];
      }
      // The line end that comes after the content belongs to the section that follows.
      return [`[ ! -e ${path} ] || { printf '\\036file %s\\n' ${path}; cat ${path}; echo; }`];
    }
    if (object.kind === 'certificate') {
      const { path } = object;
      // Its first line says whom it names; the key is nobody's business.
      return [`[ ! -e ${path} ] || { printf '\\036file %s\\n' ${path}; head -n 1 ${path}; echo; }`];
    }
    if (object.kind === 'daemon') {
      return [
        `{ read -r pid <${object.pidFile} && printf '\\036daemon %s\\n' ${object.name} && tr '\\000' '\\n' </proc/$pid/environ | grep '^${DIGEST_VARIABLE}='; } 2>/dev/null`,
      ];
    }
    return [];
  });
  // One for each namespace, so without a process for each.
  return [
    ...lines,
    ...(bound.length === 0 ? [] : [`for file in ${bound.join(' ')}; do`, ...READ_BOUND_FILE]),
  ];
}

const READ_BOUND_FILE = [
  '  [ -e "$file" ] || continue',
  `  printf '\\036file %s\\n' "$file"`,
  `  while IFS= read -r line; do printf '%s\\n' "$line"; done <"$file"`,
  '  echo',
  'done',
];
