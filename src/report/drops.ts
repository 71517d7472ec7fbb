/** What `drops` says: each denied packet with who sent it to whom and what denied it, and where the rule stands. */

import type { KernelState } from '../kernel/state.ts';
import { type Drop, type FoldedDrop, renderDecision } from '../observe/drop.ts';
import { count, PLAIN, type Style } from './style.ts';
import { table } from './table.ts';

/** The things' names by their addresses. */
type Names = ReadonlyMap<string, string>;

/** A line for each packet, equal ones once with their number. `utcOffsetMinutes` makes the reader's local time. */
export function renderDrops(
  drops: readonly FoldedDrop[],
  { names, utcOffsetMinutes }: { readonly names: Names; readonly utcOffsetMinutes: number },
  style: Style = PLAIN,
): string {
  const rows = drops.map(({ first, count: times }) => [
    ...cellsOf(first, names, utcOffsetMinutes, style),
    times === 1 ? '' : `${times} times`,
  ]);
  return table(['TIME', 'DENIED BY', 'PACKET', 'FROM', '', 'TO', ''], rows, style);
}

/** One packet as a line by itself. */
export function renderDrop(
  drop: Drop,
  { names, utcOffsetMinutes }: { readonly names: Names; readonly utcOffsetMinutes: number },
  style: Style = PLAIN,
): string {
  const [time = '', reason = '', ...packet] = cellsOf(drop, names, utcOffsetMinutes, style);
  return `${time}  ${reason}  ${packet.join(' ')}`;
}

function cellsOf(drop: Drop, names: Names, utcOffsetMinutes: number, style: Style): string[] {
  const end = (address: string, port: number | undefined): string => {
    const name = names.get(address);
    const text = port === undefined ? address : `${address}:${port}`;
    return name === undefined ? text : `${text} ${style.cyan(name)}`;
  };
  return [
    style.dim(timeOfDay(drop.time, utcOffsetMinutes)),
    style.bold(style.red(drop.reason)),
    describePacket(drop),
    end(drop.source, drop.sourcePort),
    '->',
    end(drop.destination, drop.destinationPort),
  ];
}

/** `tcp` for what opens a connection, `tcp SA` for what does not, `icmp echo-request`. */
function describePacket({ protocol, flags, icmpType, icmpCode }: Drop): string {
  return [
    protocol,
    ...(flags === undefined || flags === 'S' ? [] : [flags === '' ? 'no flags' : flags]),
    ...(icmpType === undefined ? [] : [icmpType]),
    ...(icmpCode === undefined ? [] : [`code ${icmpCode}`]),
  ].join(' ');
}

const DAY_MS = 86_400_000;

/** `14:05:09.123`. */
function timeOfDay(seconds: number, utcOffsetMinutes: number): string {
  const ms =
    (((Math.floor(seconds * 1000) + utcOffsetMinutes * 60_000) % DAY_MS) + DAY_MS) % DAY_MS;
  const digits = (value: number, width = 2): string => String(value).padStart(width, '0');
  const [hours, minutes] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60];
  return `${digits(hours)}:${digits(minutes)}:${digits(Math.floor(ms / 1000) % 60)}.${digits(ms % 1000, 3)}`;
}

/** `12 packets denied; 3 more that the log could not keep up with`. */
export function renderDropSummary(
  numbers: { readonly denied: number; readonly shown: number; readonly lost: number },
  style: Style = PLAIN,
): string {
  const { denied, shown, lost } = numbers;
  return [
    denied === 0
      ? style.green('nothing was denied')
      : style.red(`${count(denied, 'packet')} denied`),
    ...(shown < denied ? [`the last ${shown} are shown; -n shows more`] : []),
    ...(lost === 0
      ? []
      : [`${lost} more that the log could not keep up with; the rules’ counters count all`]),
  ].join('; ');
}

/** Who has an address, by what stands: `pod/client`, `node/node-1:eth1`. */
export function nameAddresses(
  planned: KernelState,
  thingIn: (netns: string) => string | undefined,
): Map<string, string> {
  const names = new Map<string, string>();
  for (const { object } of planned.values()) {
    if (object.kind !== 'address' || object.link === 'lo') continue;
    const thing = thingIn(object.netns);
    if (thing === undefined) continue;
    names.set(object.address, object.link === 'eth0' ? thing : `${thing}:${object.link}`);
  }
  return names;
}

/** The commands that show the rules which denied, each chain once: by the plan, which knows where each reason stands. */
export function whereRulesStand(
  drops: readonly Drop[],
  planned: KernelState,
  thingIn: (netns: string) => string | undefined,
): string[] {
  const reasons = new Set(drops.map(({ netns, reason }) => `${netns} ${reason}`));
  const chains = [...planned.values()].flatMap(({ object }) => {
    if (object.kind !== 'nft-chain' && object.kind !== 'iptables-chain') return [];
    const { netns, chain, rules } = object;
    const logs = rules.flatMap(
      (rule) => /(?:\blog |--nflog-)prefix "([^"]*)"/.exec(rule)?.[1] ?? [],
    );
    if (!logs.some((reason) => reasons.has(`${netns} ${reason}`))) return [];
    const line =
      object.kind === 'nft-chain'
        ? `nft list chain ${object.family} ${object.table} ${chain}`
        : `iptables${object.table === 'filter' ? '' : ` -t ${object.table}`} -L ${chain} -n -v`;
    return [`npx hoplab exec ${thingIn(netns) ?? netns} -- ${line}`];
  });
  return [...new Set(chains)];
}

export function dropToJson(drop: Drop, names: Names): object {
  return {
    ...drop,
    sourceName: names.get(drop.source) ?? null,
    destinationName: names.get(drop.destination) ?? null,
    deniedBy: renderDecision(drop),
  };
}
