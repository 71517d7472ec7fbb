/** A kernel object in one line, in iproute2's words, for a reader who looks at one network namespace at a time. */

import { type KernelObject, renderRule, tableWord } from '../kernel/state.ts';

/** The namespace under which the object is listed: of a cable that of its owner, not of the fabric. */
export function homeOf(object: KernelObject): string {
  switch (object.kind) {
    case 'veth':
      return object.ends[1].netns;
    case 'file':
    case 'certificate':
    case 'daemon':
      return '';
    default:
      return object.netns;
  }
}

export function renderObject(object: KernelObject): string {
  switch (object.kind) {
    case 'netns':
      return `netns ${object.netns}`;
    case 'sysctl':
      return `sysctl ${object.path.replaceAll('/', '.')} = ${object.value}`;
    case 'veth': {
      const [there, here] = object.ends;
      return `link ${here.link} (${here.mac}, mtu ${object.mtuBytes}) to ${there.netns}:${there.link}`;
    }
    case 'bridge':
      return `bridge ${object.link} (${object.mac}, mtu ${object.mtuBytes})`;
    case 'link-up':
      return `link ${object.link} up`;
    case 'foreign-link':
      return `link ${object.link} (${object.type})`;
    case 'bridge-port':
      return `port ${object.link} of ${object.bridge}`;
    case 'fdb-entry':
      return `fdb ${object.mac} dev ${object.link}`;
    case 'address':
      return `address ${object.address}/${object.prefixLength} dev ${object.link}`;
    case 'route':
      return renderRoute(object);
    case 'rule':
      return `rule ${renderRule(object)}`;
    case 'neighbour':
      return `neighbour ${object.address} lladdr ${object.mac} dev ${object.link}`;
    case 'iptables-chain':
      return `iptables -t ${object.table} ${object.chain}: ${rules(object.rules)}`;
    case 'ipset':
      return `ipset ${object.set} ${object.type}: ${members(object.members)}`;
    case 'nft-table':
      return `nft table ${object.family} ${object.table}`;
    case 'nft-set':
      return `nft ${object.type} ${object.family} ${object.table} ${object.set}`;
    case 'nft-element': {
      const data = object.data === undefined ? '' : ` : ${object.data}`;
      return `nft element ${object.table} ${object.set} { ${object.element}${data} }`;
    }
    case 'nft-chain':
      return `nft chain ${object.family} ${object.table} ${object.chain}: ${rules(object.rules)}`;
    case 'file':
      return `file ${object.path}`;
    case 'certificate':
      return `certificate ${object.path} for ${object.names.join(', ')}`;
    case 'udp-flow': {
      const { address = 'any address', port, endpoints } = object;
      const to = endpoints.length === 0 ? 'nobody' : endpoints.join(', ');
      return `udp-flow ${address} port ${port} to ${to}`;
    }
    case 'daemon':
      return `server ${object.name}`;
  }
}

function renderRoute(route: Extract<KernelObject, { kind: 'route' }>): string {
  const words = ['route'];
  if (route.type !== 'unicast') words.push(route.type);
  words.push(route.destination);
  if (route.via !== undefined) words.push(`via ${route.via}`);
  if (route.link !== undefined) words.push(`dev ${route.link}`);
  if (route.source !== undefined) words.push(`src ${route.source}`);
  if (route.table !== 254) words.push(`table ${tableWord(route.table)}`);
  return words.join(' ');
}

/** A few are said, of more their number. */
function members(list: readonly string[]): string {
  if (list.length === 0) return 'empty';
  if (list.length > 3) return `${list.length} members`;
  return list.map((one) => one.split(' ')[0]).join(', ');
}

function rules(list: readonly string[]): string {
  const [only] = list;
  if (list.length === 1 && only !== undefined) return only;
  return list.length === 0 ? 'empty' : `${list.length} rules`;
}
