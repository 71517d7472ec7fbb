/** What a machine brings for labs, as `host/doctor.sh` finds it out. */

export interface Tool {
  readonly command: string;
  /** Debian's name of the package. */
  readonly package: string;
  readonly isThere: boolean;
  /** Empty when it does not tell. */
  readonly version: string;
}

export interface Machine {
  /** Node's word for it: `linux`, `darwin`, `win32`. */
  readonly platform: string;
  readonly node: string;
  readonly uid: number;
  readonly user: string;
  readonly kernel: string;
  readonly os: string;
  /** The distribution's id and those that it is like: `ubuntu debian`. */
  readonly like: readonly string[];
  readonly container: string;
  readonly tools: readonly Tool[];
  /** `nf_tables` or `legacy`. */
  readonly iptables: string;
  /** `first:count`, empty when this user has none. */
  readonly subuid: string;
  readonly subgid: string;
  /** By dotted name; those that this kernel has. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** Why the namespaces of a lab can't be made; empty when they can. */
  readonly namespaces: string;
  /** What was tried, and what went wrong; empty when nothing did. */
  readonly tried: Readonly<Record<string, string>>;
}

export function parseMachine(text: string, platform: string, node: string): Machine {
  const values = new Map(
    text
      .split('\n')
      .filter((line) => line.includes('\t'))
      .map((line) => {
        const at = line.indexOf('\t');
        return [line.slice(0, at), line.slice(at + 1).trim()] as const;
      }),
  );
  const value = (key: string): string => values.get(key) ?? '';
  const below = (prefix: string): [string, string][] =>
    [...values]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, found]) => [key.slice(prefix.length), found]);
  return {
    platform,
    node,
    uid: Number(value('uid') || -1),
    user: value('user'),
    kernel: value('kernel'),
    os: value('os'),
    like: value('like').split(' '),
    container: value('container'),
    tools: below('tool.').map(([command, found]) => {
      const [name = '', there, version = ''] = found.split(' ');
      return { command, package: name, isThere: there === 'there', version };
    }),
    iptables: value('iptables'),
    subuid: value('subuid'),
    subgid: value('subgid'),
    sysctls: Object.fromEntries(below('sysctl.')),
    namespaces: value('namespaces'),
    tried: Object.fromEntries(below('try.')),
  };
}
