/**
 * Steps as the text of the kernel's own tools: `ip -batch`, `bridge -batch`, `nft -f`, `iptables-restore`.
 *
 * What is printed for review is what runs. A `Command` is one process with its standard input, line by line, and each
 * line knows which object of the lab wanted it. Commands of one phase do not depend on each other; phases run in order.
 */

import type { Because } from '../base/because.ts';
import { blockOf } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';
import { type Command, inNetns, type Line } from './command.ts';
import { isKept, type Step } from './diff.ts';
import { BOUND_FILES } from './name-server.ts';
import { DROPPABLE_BIRTH_RULES, isBirthRule } from './netns.ts';
import { renderCertificates } from './render-certificate.ts';
import { renderForgottenFlows } from './render-flows.ts';
import { renderIpsets } from './render-ipset.ts';
import { renderIptables } from './render-iptables.ts';
import { renderNft } from './render-nft.ts';
import {
  type Bridge,
  type BridgePort,
  type Daemon,
  type FdbEntry,
  FIXED_BRIDGE_SETTINGS,
  FIXED_PORT_FLAGS,
  gsoMaxSize,
  type InterfaceAddress,
  type KernelObject,
  type KernelRoute,
  type Netns,
  netnsOf,
  renderRule,
  type SandboxFile,
  type Sysctl,
  tableWord,
  type Veth,
} from './state.ts';

export function render(steps: readonly Step[]): Command[] {
  const commands: Command[] = [];
  const of = <Kind extends KernelObject['kind']>(
    kind: Kind,
    ...actions: readonly Step['action'][]
  ): { object: Extract<KernelObject, { kind: Kind }>; because: Because; step: Step }[] =>
    steps.flatMap((step) => {
      const { object, because } = step.planned;
      if (object.kind !== kind || !actions.includes(step.action)) return [];
      return [{ object: object as Extract<KernelObject, { kind: Kind }>, because, step }];
    });

  // Links of a namespace that stays are deleted inside it, one batch a namespace.
  const unlink = new Map<NetnsName, Line[]>();
  const drop = (netns: NetnsName, link: string, because: Because): void => {
    append(unlink, netns, { text: `link del dev ${link}`, because });
  };
  for (const { object, because, step } of of('veth', 'remove', 'change')) {
    if (!isKeptIn(step)) drop(object.ends[0].netns, object.ends[0].link, because);
  }
  for (const { object, because, step } of of('bridge', 'remove', 'change')) {
    if (!isKeptIn(step)) drop(object.netns, object.link, because);
  }
  for (const { object, because } of of('foreign-link', 'remove')) {
    drop(object.netns, object.link, because);
  }
  for (const [netns, lines] of unlink) {
    commands.push({ phase: 1, netns, shell: `${inNetns(netns)} ip -batch -`, input: lines });
  }
  const born = of('netns', 'add');
  if (born.length > 0) {
    const lines = born.map(({ object, because }) => ({
      text: `netns add ${object.netns}`,
      because,
    }));
    commands.push({ phase: 0, shell: 'ip -batch -', input: lines });
  }

  const veths = of('veth', 'add', 'change').filter(({ step }) => !isKeptIn(step));
  if (veths.length > 0) {
    const lines = veths.map(({ object, because }) => ({ text: renderVeth(object), because }));
    commands.push({ phase: 2, shell: 'ip -batch -', input: lines });
  }
  const isBound = ({ object }: { object: SandboxFile }): boolean =>
    object.path.startsWith(BOUND_FILES);
  const files = of('file', 'add', 'change');
  commands.push(...renderBoundFiles(files.filter(isBound)));
  for (const { object, because } of files.filter((file) => !isBound(file))) {
    const lines = object.content.replace(/\n$/, '').split('\n');
    commands.push({
      phase: 2,
      // Into a new file that then takes the name: a reader never sees half of it, and an unprivileged lab may replace
      // a file of /etc but not write into it.
      shell: `cat >${object.path}.new`,
      then: `mv -f ${object.path}.new ${object.path}`,
      input: lines.map((text) => ({ text, because })),
    });
  }
  const dropped = of('file', 'remove');
  for (const { object, because } of dropped.filter((file) => !isBound(file))) {
    commands.push({ phase: 2, shell: `rm -f ${object.path}`, because });
  }
  const unbound = dropped.filter(isBound).map(({ object, because }) => {
    const { path } = object;
    return { path, directory: path.slice(0, path.lastIndexOf('/')), because };
  });
  if (unbound.length > 0) {
    commands.push({
      phase: 2,
      shell: `rm -f ${unbound.map(({ path }) => path).join(' ')}; rmdir ${unbound.map(({ directory }) => directory).join(' ')} 2>/dev/null || :`,
      because: unbound[0]?.because,
    });
  }
  commands.push(...renderIpsets(steps), ...renderIptables(steps));
  commands.push(...renderNft(steps), ...renderCertificates(steps));

  for (const { object, because, step } of of('daemon', 'add', 'change', 'remove')) {
    const shell = daemonLine(object, step.action);
    const phase = object.asksOthers === true && step.action !== 'remove' ? 5 : 3;
    commands.push({ phase, shell, leavesProcess: true, because });
  }
  const inside = stepsByNetns(steps);
  for (const netns of touchedNetns(steps)) {
    commands.push(...renderNetns(netns, inside.get(netns) ?? [], born));
  }

  commands.push(...renderWaits(of('bridge-port', 'add', 'change')));
  commands.push(...renderForgottenFlows(steps, new Set(born.map(({ object }) => object.netns))));

  const dead = of('netns', 'remove');
  if (dead.length > 0) {
    const lines = dead.map(({ object, because }) => ({
      text: `netns del ${object.netns}`,
      because,
    }));
    commands.push({ phase: 4, shell: 'ip -batch -', input: lines });
  }
  return commands.sort((a, b) => a.phase - b.phase);
}

/**
 * The files that `ip netns exec` binds over those of /etc, by their content: a namespace has one, and most of a lab have
 * the same. They are written in place, so that a shell that has one bound sees the new content.
 */
function renderBoundFiles(
  files: readonly { readonly object: SandboxFile; readonly because: Because }[],
): Command[] {
  const byContent = new Map<string, { paths: string[]; because: Because }>();
  for (const { object, because } of files) {
    const entry = byContent.get(object.content) ?? { paths: [], because };
    entry.paths.push(object.path);
    byContent.set(object.content, entry);
  }
  return [...byContent].map(([content, { paths, because }]) => ({
    phase: 2,
    shell: `mkdir -p ${paths.map((path) => path.slice(0, path.lastIndexOf('/'))).join(' ')} && tee ${paths.join(' ')} >/dev/null`,
    input: content
      .replace(/\n$/, '')
      .split('\n')
      .map((text) => ({ text, because })),
  }));
}

function daemonLine(daemon: Daemon, action: Step['action']): string {
  const words = { add: daemon.start, change: daemon.reload, remove: daemon.stop };
  return words[action];
}

interface SysctlWrite {
  readonly sysctl: Sysctl;
  readonly because: Because;
}

/** The namespaces in which something on a link changes, in the order in which they appear. */
function touchedNetns(steps: readonly Step[]): NetnsName[] {
  const names = new Set<NetnsName>();
  for (const { planned, action } of steps) {
    const { object } = planned;
    if (object.kind === 'netns' && action === 'remove') continue;
    if (object.kind === 'veth' && action === 'remove') continue;
    for (const netns of netnsOf(object)) names.add(netns);
  }
  return [...names];
}

function stepsByNetns(steps: readonly Step[]): Map<NetnsName, Step[]> {
  const inside = new Map<NetnsName, Step[]>();
  for (const step of steps) {
    for (const netns of new Set(netnsOf(step.planned.object))) append(inside, netns, step);
  }
  return inside;
}

/** A link that is up by now is up in a moment; one that somebody else took down is not waited for for ever. */
const PORT_TRIES = 100;

/**
 * A new port takes frames only once the kernel has noticed that its cable is plugged in at both ends, which a worker does
 * behind our back: within a moment, or most of a second on a busy machine. Until then every packet would be lost.
 * @see linux/net/core/link_watch.c linkwatch_fire_event, linux/net/bridge/br_if.c br_port_carrier_check
 */
function renderWaits(
  ports: readonly { readonly object: BridgePort; readonly because: Because }[],
): Command[] {
  const first = new Map(ports.toReversed().map(({ object, because }) => [object.netns, because]));
  return [...first].map(([netns, because]) => ({
    phase: 4,
    netns,
    shell: `${inNetns(netns)} sh -c 'tries=0; while ip -o -d link show type bridge_slave | grep -q "bridge_slave state disabled" && [ $tries -lt ${PORT_TRIES} ]; do tries=$((tries + 1)); sleep 0.02; done'`,
    because,
  }));
}

/** All that `ip` and the sysctls do inside one namespace, as one process chain; `steps` are those inside it. */
function renderNetns(
  netns: NetnsName,
  steps: readonly Step[],
  born: readonly { object: Netns; because: Because }[],
): Command[] {
  const lines: Line[] = [];
  const removals: Line[] = [];
  const before: SysctlWrite[] = [];
  const after: SysctlWrite[] = [];
  const rank: Record<string, number> = {
    bridge: 0,
    veth: 1,
    'bridge-port': 2,
    'link-up': 3,
    address: 4,
    // A next hop is looked up by the rules: without the one of `main` no gateway is valid.
    rule: 5,
    route: 6,
    neighbour: 7,
  };
  const wanted: { rank: number; lines: Line[] }[] = [];
  const fdb: Line[] = [];

  const birth = born.find(({ object }) => object.netns === netns);
  if (birth !== undefined) {
    const kept = new Set(
      steps.flatMap(({ planned: { object } }) =>
        object.kind === 'rule' && object.netns === netns && isBirthRule(object)
          ? [object.priority]
          : [],
      ),
    );
    for (const { priority } of DROPPABLE_BIRTH_RULES) {
      if (kept.has(priority)) continue;
      lines.push({ text: `rule del priority ${priority}`, because: birth.because });
    }
  }
  for (const step of steps) {
    const { planned, action } = step;
    const { object, because } = planned;
    if (birth !== undefined && object.kind === 'rule' && isBirthRule(object)) continue;
    if (object.kind === 'sysctl') {
      if (action === 'remove') continue;
      (object.link === undefined ? before : after).push({ sysctl: object, because });
      continue;
    }
    if (object.kind === 'fdb-entry') {
      fdb.push({ text: renderFdb(object, action), because });
      continue;
    }
    if (action === 'remove') {
      const text = removalOf(object);
      if (text !== undefined) removals.push({ text, because });
      continue;
    }
    const texts = step.action === 'change' ? changeOf(step, netns) : additionOf(object);
    if (texts.length > 0) {
      wanted.push({
        rank: rank[object.kind] ?? 9,
        lines: texts.map((text) => ({ text, because })),
      });
    }
  }
  // Last things first when taking away, first things first when adding.
  removals.reverse();
  wanted.sort((a, b) => a.rank - b.rank);
  lines.push(...removals, ...wanted.flatMap((entry) => entry.lines));

  const commands: Command[] = [];
  if (lines.length > 0 || before.length > 0 || after.length > 0) {
    const writes = (list: readonly SysctlWrite[]): string[] =>
      list.map(({ sysctl: { path, value, ifThere } }) => {
        const write = `echo ${value} >/proc/sys/${path}`;
        return ifThere === true ? `[ ! -e /proc/sys/${path} ] || ${write}` : write;
      });
    const script = [
      ...writes(before),
      ...(lines.length === 0 ? [] : [after.length === 0 ? 'exec ip -batch -' : 'ip -batch -']),
      ...writes(after),
    ];
    const plain = script.length === 1 && lines.length > 0;
    commands.push({
      phase: 3,
      netns,
      shell: plain
        ? `${inNetns(netns)} ip -batch -`
        : `${inNetns(netns)} sh -ec '${script.join('; ')}'`,
      input: lines.length === 0 ? undefined : lines,
      sysctls: new Map([...before, ...after].map(({ sysctl, because }) => [sysctl.path, because])),
    });
  }
  if (fdb.length > 0) {
    // Ports must be on their bridge first: after the batch above, in the same process chain.
    const last = commands.pop();
    const file = `/run/hoplab/fdb.${netns}`;
    const bridge = `${inNetns(netns)} bridge -batch ${file}`;
    commands.push(
      last === undefined ? { phase: 3, netns, shell: bridge } : { ...last, then: bridge },
      { phase: 2, netns, shell: `cat >${file}`, input: fdb },
    );
  }
  return commands;
}

function isKeptIn(step: Step): boolean {
  if (step.action !== 'change') return false;
  const { before } = step;
  return (
    (before.kind === 'veth' || before.kind === 'bridge') && isKept(before, step.planned.object)
  );
}

/** What can be set on the thing that stands; everything else is put in its place. */
function changeOf(step: Step & { action: 'change' }, netns: NetnsName): string[] {
  const { before } = step;
  const { object } = step.planned;
  if (object.kind === 'veth' && isKeptIn(step)) {
    const { mtuBytes } = object;
    return object.ends
      .filter((end) => end.netns === netns)
      .map((end) => `link set dev ${end.link} mtu ${mtuBytes} ${gsoOf(mtuBytes)}`);
  }
  if (object.kind === 'bridge' && isKeptIn(step)) {
    return [bridgeMtu(object), `link set dev ${object.link} type bridge ${BRIDGE_SETTINGS}`];
  }
  if (object.kind === 'address' && before.kind === 'address') {
    return object.connectedRoute
      ? [`route replace ${connectedRoute(object)} scope link src ${object.address}`]
      : [`route del ${connectedRoute(object)}`];
  }
  return additionOf(object);
}

function additionOf(object: KernelObject): string[] {
  switch (object.kind) {
    case 'bridge':
      return [renderBridge(object), bridgeMtu(object)];
    case 'link-up':
      return [`link set dev ${object.link} up`];
    case 'bridge-port':
      return renderPort(object);
    case 'address':
      return renderAddress(object);
    case 'route':
      return [`route replace ${renderRoute(object)}`];
    case 'rule':
      return [`rule add ${renderRule(object)}`];
    case 'neighbour':
      return [
        `neigh replace ${object.address} lladdr ${object.mac} dev ${object.link} nud permanent`,
      ];
    default:
      return [];
  }
}

function removalOf(object: KernelObject): string | undefined {
  switch (object.kind) {
    case 'link-up':
      return `link set dev ${object.link} down`;
    case 'bridge-port':
      return `link set dev ${object.link} nomaster`;
    case 'address':
      return `addr del ${object.address}/${object.prefixLength} dev ${object.link}`;
    case 'route':
      return `route del ${renderRoute(object)}`;
    case 'rule':
      return `rule del ${renderRule(object)}`;
    case 'neighbour':
      return `neigh del ${object.address} dev ${object.link}`;
    default:
      return undefined;
  }
}

function renderVeth({ ends: [one, other], mtuBytes }: Veth): string {
  const end = (name: string, netns: NetnsName, mac: string): string =>
    `name ${name} netns ${netns} address ${mac} mtu ${mtuBytes} ${gsoOf(mtuBytes)}`;
  return `link add ${end(one.link, one.netns, one.mac)} type veth peer ${end(other.link, other.netns, other.mac)}`;
}

function gsoOf(mtuBytes: number): string {
  return `gso_max_size ${gsoMaxSize(mtuBytes)}`;
}

function renderBridge({ link, mac }: Bridge): string {
  return `link add name ${link} address ${mac} type bridge ${BRIDGE_SETTINGS}`;
}

/**
 * Set by itself, and to another one than it has from birth, it is ours; else it would follow the ports' and fall to 1500
 * with the last one. @see linux/net/bridge/br_device.c br_change_mtu, br_if.c br_mtu_auto_adjust
 */
function bridgeMtu({ link, mtuBytes }: Bridge): string {
  return `link set dev ${link} mtu ${mtuBytes}`;
}

const BRIDGE_SETTINGS = words(FIXED_BRIDGE_SETTINGS, String);
const PORT_FLAGS = words(FIXED_PORT_FLAGS, (isOn) => (isOn ? 'on' : 'off'));

function words<Value>(
  settings: Readonly<Record<string, Value>>,
  say: (value: Value) => string,
): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${say(value)}`)
    .join(' ');
}

function renderPort({ link, bridge }: BridgePort): string[] {
  return [
    `link set dev ${link} master ${bridge}`,
    `link set dev ${link} type bridge_slave ${PORT_FLAGS}`,
  ];
}

function renderFdb({ link, mac }: FdbEntry, action: Step['action']): string {
  return action === 'remove'
    ? `fdb del ${mac} dev ${link} master`
    : `fdb replace ${mac} dev ${link} master static sticky`;
}

function renderAddress(object: InterfaceAddress): string[] {
  const { address, prefixLength, link, broadcast } = object;
  const lines = [
    `addr add ${address}/${prefixLength}${broadcast === undefined ? '' : ` broadcast ${broadcast}`} dev ${link}`,
  ];
  if (!object.connectedRoute) lines.push(`route del ${connectedRoute(object)}`);
  return lines;
}

function connectedRoute({ address, prefixLength, link }: InterfaceAddress): string {
  return `${blockOf(address, prefixLength)} dev ${link} proto kernel`;
}

function renderRoute(route: KernelRoute): string {
  const words: string[] = [];
  if (route.type !== 'unicast') words.push(route.type);
  words.push(route.destination);
  if (route.via !== undefined) words.push(`via ${route.via}`);
  if (route.link !== undefined) words.push(`dev ${route.link}`);
  if (route.scopeLink === true) words.push('scope link');
  if (route.source !== undefined) words.push(`src ${route.source}`);
  if (route.metric !== undefined) words.push(`metric ${route.metric}`);
  if (route.onlink === true) words.push('onlink');
  if (route.table !== 254) words.push(`table ${tableWord(route.table)}`);
  return words.join(' ');
}

/** The commands as a shell script that builds the same state in an empty sandbox. */
export function renderScript(commands: readonly Command[]): string {
  const parts = [
    '#!/bin/sh',
    '# Run this inside an empty sandbox with a /run and an /etc of its own (it writes below /etc/netns), for example:',
    "#   unshare --net --mount --pid --ipc --uts --fork --mount-proc sh -c '",
    '#     mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/netns /run/hoplab /run/etc &&',
    "#     cp -a /etc/. /run/etc && mount --bind /run/etc /etc && sh THIS-SCRIPT; exec sh'",
    'mountpoint -q /etc || { echo "this needs an /etc of its own: see the first lines of this script" >&2; exit 1; }',
    'set -e',
  ];
  for (const command of commands) parts.push('', renderCommand(command));
  return `${parts.join('\n')}\n`;
}

/** One command with its here-document; `ending` goes behind all of it, on the line that starts it. */
export function renderCommand({ shell, input, then }: Command, ending = ''): string {
  const next = then === undefined ? '' : ` && ${then}`;
  if (input === undefined) return `${shell} </dev/null${next}${ending}`;
  const text = input.map((line) => line.text).join('\n');
  return `${shell} <<'EOF'${next}${ending}\n${text}\nEOF`;
}

function append<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
