/**
 * The programs that go on while a lab is up: how each is started, reloaded and ended, and how one sees what it was started
 * with.
 */

import { sha256Hex } from '../base/hash.ts';
import type { Daemon, ListeningSocket, SandboxFile } from './state.ts';

/** In the environment of a daemon's process: which configuration it was started with, for whoever looks at it later. */
export const DIGEST_VARIABLE = 'HOPLAB_DIGEST';

/** What the environment of a daemon's process says that was started with this. */
export function digestOf(content: string): string {
  return sha256Hex(content).slice(0, 16);
}

/** Ends it. Somebody may have killed it before us. */
export function kill(pidFile: string): string {
  return `kill $(cat ${pidFile}) 2>/dev/null || :`;
}

/** The same for one that has a port which the next one wants: until it is gone it has it. */
export function killAndWait(pidFile: string): string {
  return `pid=$(cat ${pidFile} 2>/dev/null) && kill $pid 2>/dev/null && while kill -0 $pid 2>/dev/null; do sleep 0.01; done; :`;
}

/** One that reads nothing anew: a change ends it and starts another. */
export function restartedDaemon({
  name,
  pidFile,
  command,
  reads,
  stop,
  sockets,
}: {
  readonly name: string;
  readonly pidFile: string;
  readonly command: string;
  /** What it has read at its start; of a program that the lab brings along, its text too: another version is another process. */
  readonly reads: string;
  readonly stop: string;
  readonly sockets: readonly ListeningSocket[];
}): Daemon {
  const digest = digestOf(reads);
  const start = `${DIGEST_VARIABLE}=${digest} ${command}`;
  return {
    kind: 'daemon',
    name,
    pidFile,
    start,
    reload: `${stop}; ${start}`,
    stop,
    digest,
    sockets,
  };
}

/**
 * At the head of every HAProxy's configuration. For its own HTTP client, which nobody here uses, it would read all of the
 * machine's certificate authorities: three quarters of its start.
 *
 * @see HAProxy configuration manual 3.1 "httpclient.ssl.verify", 2.4 "Conditional blocks"
 */
export const HAPROXY_GLOBAL = [
  'global',
  '    .if version_atleast(2.6)',
  '    httpclient.ssl.verify none',
  '    .endif',
  '    maxconn 4000',
] as const;

/** An HAProxy and its configuration, below the path with `.cfg` and `.pid` behind. */
export function haproxyDaemon(
  path: string,
  content: string,
  { name, ...more }: Pick<Daemon, 'name' | 'sockets' | 'asksOthers'>,
): [SandboxFile, Daemon] {
  const [config, pidFile] = [`${path}.cfg`, `${path}.pid`];
  const digest = digestOf(content);
  const start = `${DIGEST_VARIABLE}=${digest} haproxy -D -f ${config} -p ${pidFile}`;
  return [
    { kind: 'file', path: config, content },
    {
      kind: 'daemon',
      name,
      pidFile,
      start,
      // A plain -sf: a master-worker or a socket hand-over would keep the sockets of namespaces that are gone.
      reload: `${start} -sf $(cat ${pidFile})`,
      stop: kill(pidFile),
      digest,
      ...more,
    },
  ];
}
