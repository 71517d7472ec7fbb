/**
 * The kernel as it stands, as a state like any other: held against the plan it says what differs, and `diff` from it to
 * the plan is what mends that.
 *
 * The plan helps where the kernel tells less than a plan says: which of the links with fitting numbers is a cable's other
 * end, and for whose sake an object is there.
 */

import { type Because, because } from '../base/because.ts';
import type { NetnsName } from '../base/names.ts';
import { type LinkRead, parseIp } from './parse-ip.ts';
import { parseIpsets } from './parse-ipset.ts';
import { parseIptables } from './parse-iptables.ts';
import { parseNft } from './parse-nft.ts';
import type { ReadTexts } from './parse-sections.ts';
import { parseLogGroups, parseSockets } from './parse-sockets.ts';
import { namesOfCertificate } from './render-certificate.ts';
import { SOCKET_FILES } from './read-script.ts';
import { DIGEST_VARIABLE } from './daemon.ts';
import {
  type Bridge,
  type Daemon,
  type ForeignLink,
  gsoMaxSize,
  type KernelObject,
  type KernelState,
  linkKey,
  objectKey,
  type Planned,
  type Sysctl,
  type Veth,
  type VethEnd,
} from './state.ts';

export function readBack(texts: ReadTexts, planned: KernelState): KernelState {
  const found = new Map<string, Planned>();
  const ownerOf = (netns: NetnsName): Because =>
    planned.get(objectKey({ kind: 'netns', netns }))?.because ?? because('kernel', netns);
  const put = (object: KernelObject, owner: Because): void => {
    const key = objectKey(object);
    // Where a plan has one, a second one is one too many.
    found.set(found.has(key) ? `${key} (again)` : key, {
      object,
      because: planned.get(key)?.because ?? owner,
    });
  };

  const links: LinkRead[] = [];
  const sysctls = new Map<NetnsName, ReadonlyMap<string, string>>();
  const ports = new Map<NetnsName, ReadonlySet<string>>();
  for (const [netns, text] of texts.netns) {
    const owner = ownerOf(netns);
    const { links: here, objects } = parseIp(netns, text.ip, text.fdb);
    links.push(...here);
    const all: readonly KernelObject[] = [
      { kind: 'netns', netns },
      ...objects,
      ...parseNft(netns, text.nft),
      ...parseIptables(netns, text.iptables),
      ...parseIpsets(netns, text.ipset),
    ];
    for (const object of all) put(object, owner);
    const files = parseFiles(text.proc);
    sysctls.set(
      netns,
      new Map([...files].map(([path, lines]) => [path, lines.join('\n')] as const)),
    );
    const [tcp = [], udp = [], groups = []] = SOCKET_FILES.map((path) => files.get(path) ?? []);
    const listening = [...parseSockets('tcp', tcp), ...parseSockets('udp', udp)];
    ports.set(netns, new Set([...listening, ...parseLogGroups(groups)]));
  }
  for (const object of cables(links, planned)) {
    put(object, ownerOf(object.kind === 'veth' ? object.ends[1].netns : object.netns));
  }
  // A link that comes again brings its own sysctls with it, also those that not every kernel has.
  const linksRead = new Set(links.map(({ netns, link }) => linkKey(netns, link)));
  const mayHave = ({ netns, link }: Sysctl): boolean =>
    link === undefined ? sysctls.has(netns) : linksRead.has(linkKey(netns, link));
  // What is looked for only where it is planned.
  for (const { object, because: why } of planned.values()) {
    if (object.kind === 'sysctl') {
      const value = sysctls.get(object.netns)?.get(object.path);
      if (value !== undefined) put({ ...object, value }, why);
      else if (object.ifThere === true && mayHave(object)) put(object, why);
    } else if (object.kind === 'file') {
      const content = texts.files.get(object.path);
      if (content !== undefined) put({ ...object, content }, why);
    } else if (object.kind === 'certificate') {
      const line = texts.files.get(object.path);
      if (line !== undefined) put({ ...object, names: namesOfCertificate(line) }, why);
    } else if (object.kind === 'udp-flow') {
      // What it stands for are rules, which are read by themselves.
      if (sysctls.has(object.netns)) put(object, why);
    } else if (object.kind === 'daemon') {
      const daemon = readDaemon(object, texts.daemons.get(object.name), ports);
      if (daemon !== undefined) put(daemon, why);
    }
  }
  return found;
}

/** Links without `lo`: bridges, cables of which both ends are there, and what is neither. */
function cables(links: readonly LinkRead[], planned: KernelState): (Veth | Bridge | ForeignLink)[] {
  const byName = new Map(links.map((link) => [linkKey(link.netns, link.link), link]));
  const used = new Set<LinkRead>();
  const objects: (Veth | Bridge | ForeignLink)[] = [];
  for (const { object } of planned.values()) {
    if (object.kind !== 'veth') continue;
    const [one, other] = object.ends.map((end) => byName.get(linkKey(end.netns, end.link)));
    if (one === undefined || other === undefined || !arePeers(one, other)) continue;
    used.add(one).add(other);
    objects.push(vethOf(one, other));
  }
  for (const link of links) {
    if (used.has(link)) continue;
    used.add(link);
    const { netns, link: name, mac, mtuBytes, type, unlike } = link;
    const peer = links.find((other) => !used.has(other) && arePeers(link, other));
    if (peer !== undefined) {
      used.add(peer);
      objects.push(vethOf(link, peer));
    } else if (type === 'bridge') {
      const bridge = { kind: 'bridge', netns, link: name, mac, mtuBytes } as const;
      objects.push(unlike === undefined ? bridge : { ...bridge, unlike });
    } else objects.push({ kind: 'foreign-link', netns, link: name, type });
  }
  return objects;
}

/** Each namespace counts its links anew, so that these numbers may fit by chance; the plan's cables are looked at first. */
function arePeers(one: LinkRead, other: LinkRead): boolean {
  if (one.type !== 'veth' || other.type !== 'veth') return false;
  if (one.peerName !== undefined) {
    return one.netns === other.netns && one.peerName === other.link;
  }
  return one.peerIndex === other.index && other.peerIndex === one.index;
}

function vethOf(one: LinkRead, other: LinkRead): Veth {
  const end = ({ netns, link, mac }: LinkRead): VethEnd => ({ netns, link, mac });
  const odd = [one, other].flatMap(({ netns, link, mtuBytes, gsoMaxSizeBytes }) => [
    ...(mtuBytes === one.mtuBytes ? [] : [`${netns} ${link} mtu ${mtuBytes}`]),
    ...(gsoMaxSizeBytes === gsoMaxSize(one.mtuBytes)
      ? []
      : [`${netns} ${link} gso_max_size ${gsoMaxSizeBytes}`]),
  ]);
  const veth = { kind: 'veth', ends: [end(one), end(other)], mtuBytes: one.mtuBytes } as const;
  return odd.length === 0 ? veth : { ...veth, unlike: odd.join(', ') };
}

/** `path:line`, as grep prints it; the lines of each file. */
function parseFiles(text: string): Map<string, string[]> {
  const files = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const path = line.slice(0, colon);
    const lines = files.get(path) ?? [];
    lines.push(line.slice(colon + 1));
    files.set(path, lines);
  }
  return files;
}

/** A server runs when the process of its pid file was started by us; `said` is what that process's environment says. */
function readDaemon(
  daemon: Daemon,
  said: string | undefined,
  ports: ReadonlyMap<NetnsName, ReadonlySet<string>>,
): Daemon | undefined {
  const [variable, digest] = (said ?? '').split('=');
  if (variable !== DIGEST_VARIABLE || digest === undefined) return undefined;
  const deaf = daemon.sockets.filter(
    // A port in a namespace that is gone is missed with it.
    ({ netns, protocol, port }) => ports.get(netns)?.has(`${protocol} ${port}`) === false,
  );
  const where = deaf.map(({ netns, protocol, port }) => `${protocol} ${port} of ${netns}`);
  return deaf.length === 0
    ? { ...daemon, digest }
    : { ...daemon, digest, unlike: `it does not listen on ${where.join(', ')}` };
}
