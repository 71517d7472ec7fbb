/**
 * A PostgreSQL in a network namespace: its configuration, and the process that `host/postgres.sh` starts with it.
 *
 * A server is a primary, or the standby of one: the two have a link of their own. Both are started by their role, so that
 * a change of roles is a change of two processes: the one that becomes the primary ends the other first and then its own
 * recovery, the one that becomes the standby follows it from where it was, or is made anew from it. Who runs is known by
 * its process, as with every daemon.
 *
 * @see https://www.postgresql.org/docs/15/runtime-config.html
 * @see https://www.postgresql.org/docs/15/warm-standby.html "Streaming Replication", "Synchronous Replication"
 */

import type { Ipv4 } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';
import { inNetns } from './command.ts';
import { restartedDaemon } from './daemon.ts';
import type { KernelObject } from './state.ts';

export interface PostgresServer {
  readonly netns: NetnsName;
  /** Which database's data it has: an instance's own name. */
  readonly database: string;
  readonly port: number;
  /** What a new cluster is given, a statement each. */
  readonly statements: readonly string[];
  /** Without one it is alone. */
  readonly peer?: PostgresPeer;
}

export interface PostgresPeer {
  readonly role: 'primary' | 'standby';
  readonly netns: NetnsName;
  /** On the link between the two: the server's own, and the peer's. */
  readonly own: Ipv4;
  readonly address: Ipv4;
}

const SCRIPT = '/run/hoplab/postgres.sh';
/** Where the data of all servers lies, each in a directory of its name. */
const DATA = '/run/hoplab/postgres';
const STANDBY = 'standby';

/** `script` is the text of host/postgres.sh. */
export function postgresServer(server: PostgresServer, script: string): KernelObject[] {
  const { netns, port, statements, peer } = server;
  const base = `/run/hoplab/${netns}`;
  const isStandby = peer?.role === 'standby';
  const config = renderConfig(server);
  const hba = renderHba(peer);
  const role = isStandby
    ? `standby ${netns} ${peer.netns} ${peer.address} ${port}`
    : `primary ${netns} ${peer?.netns ?? '-'} ${server.database}`;
  const start = restartedDaemon({
    name: `postgres-${netns}`,
    pidFile: `${DATA}/${netns}/postmaster.pid`,
    command: `${inNetns(netns)} sh ${SCRIPT} ${role}`,
    reads: [script, config, hba, ...statements].join('\n'),
    stop: renderEnd(`${DATA}/${netns}`),
    sockets: [{ netns, protocol: 'tcp', port }],
  });
  return [
    { kind: 'file', path: SCRIPT, content: script },
    { kind: 'file', path: `${base}.conf`, content: config },
    { kind: 'file', path: `${base}.hba`, content: hba },
    { kind: 'file', path: `${base}.sql`, content: statements.map((one) => `${one}\n`).join('') },
    // It ends by itself whoever is to be ended before it, and in the order that loses nothing.
    { ...start, reload: start.start, ...(isStandby ? { asksOthers: true } : {}) },
  ];
}

/** Ends a server that is no more, with its data; not by the script, which goes with the last of them. */
function renderEnd(data: string): string {
  const isThere = `[ /proc/$pid/cwd -ef ${data} ]`;
  const waits = `n=0; while ${isThere} && [ $n -lt 300 ]; do n=$((n + 1)); sleep 0.01; done`;
  const end = `pid=$(head -n 1 ${data}/postmaster.pid 2>/dev/null) && ${isThere} && { kill -QUIT $pid; ${waits}; ! ${isThere} || kill -KILL $pid; }`;
  return `${end}; rm -rf ${data} ${data}.new`;
}

function renderConfig({ netns, port, peer }: PostgresServer): string {
  const isStandby = peer?.role === 'standby';
  return [
    // Nobody outside reaches a standby: it has no port on the VPC's link.
    `listen_addresses = '${isStandby ? peer.own : '*'}'`,
    `port = ${port}`,
    "unix_socket_directories = ''",
    `hba_file = '/run/hoplab/${netns}.hba'`,
    // The data lies in memory and ends with the lab: there is no disk to wait for.
    'fsync = off',
    'full_page_writes = off',
    'shared_buffers = 16MB',
    // RDS's own prefix: time, client, user and database. @see RDS User Guide, USER_LogAccess.Concepts.PostgreSQL.html
    "log_line_prefix = '%t:%r:%u@%d:[%p]:'",
    'log_connections = on',
    'log_checkpoints = off',
    "log_timezone = 'UTC'",
    'hot_standby = off',
    // The end of what is there is where a promotion ends: there is no archive to look for more in.
    ...(isStandby ? [] : ["restore_command = 'false'"]),
    ...(peer === undefined
      ? []
      : isStandby
        ? [
            `primary_conninfo = 'host=${peer.address} port=${port} user=rdsrepladmin application_name=${STANDBY}'`,
            // How often it asks a primary that is away.
            "wal_retrieve_retry_interval = '1s'",
          ]
        : [`synchronous_standby_names = '${STANDBY}'`]),
    '',
  ].join('\n');
}

/** The first line that fits decides. @see https://www.postgresql.org/docs/15/auth-pg-hba-conf.html */
function renderHba(peer: PostgresPeer | undefined): string {
  return [
    ...(peer === undefined ? [] : [`host replication rdsrepladmin ${peer.address}/32 trust`]),
    'host all rdsadmin,rdsrepladmin all reject',
    'host all all all scram-sha-256',
    '',
  ].join('\n');
}
