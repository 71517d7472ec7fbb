/** The links of network namespaces as they stand in the kernel. */

import { run } from './exec.ts';
import { enter, type Sandbox } from './sandbox.ts';

export interface LinkUp {
  readonly name: string;
  readonly index: number;
  readonly isBridge: boolean;
}

interface IpLink {
  readonly ifname: string;
  readonly ifindex: number;
  readonly linkinfo?: { readonly info_kind?: string };
}

/** By namespace, in the kernel's order; a namespace that is not there has none. */
export async function readLinks(
  sandbox: Sandbox,
  netnses: readonly string[],
): Promise<Map<string, LinkUp[]>> {
  const script =
    'for n in "$@"; do [ -e "/run/netns/$n" ] && nsenter --net="/run/netns/$n" ip -j -d link || echo "[]"; done';
  const { stdout } = await run(enter(sandbox, ['sh', '-c', script, 'sh', ...netnses]));
  const lines = stdout.trim().split('\n');
  return new Map(
    netnses.map((netns, index) => {
      const links = JSON.parse(lines[index] ?? '[]') as IpLink[];
      return [
        netns,
        links.map(({ ifname, ifindex, linkinfo }) => ({
          name: ifname,
          index: ifindex,
          isBridge: linkinfo?.info_kind === 'bridge',
        })),
      ];
    }),
  );
}
