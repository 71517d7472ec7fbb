/**
 * What answers on the ports that pods, instances and internet hosts declare: a real server on a real socket.
 *
 * HTTP is served by one HAProxy for the whole lab: it binds each port inside the thing's own network namespace, and
 * answers with JSON that says who answered and what it saw. UDP, and TCP that does not speak HTTP, is served by one
 * small responder process (`host/responder.pl`) that opens its sockets in every namespace it is told; it writes the
 * same JSON, as a datagram's answer or as a connection's first line, and then echoes.
 *
 * HAProxy needs one frontend per thing (so that one can be switched off by name), starts only when every namespace it
 * names is there, and never runs with `user`: entering a namespace needs the sandbox's capabilities.
 */

import type { Because } from '../base/because.ts';
import type { NetnsName } from '../base/names.ts';
import { HAPROXY_GLOBAL, haproxyDaemon, kill, restartedDaemon } from './daemon.ts';
import type { KernelObject, ListeningSocket, Planned } from './state.ts';

export interface ServedPort {
  readonly kind: 'served-port';
  readonly netns: NetnsName;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly http: boolean;
  /** What the answer says of the answering side: pod, node, address, … in this order. */
  readonly identity: Readonly<Record<string, string>>;
  readonly behaviour: Behaviour;
  /** What is answered instead of who answers and what it saw: the first page that fits. HTTP only. */
  readonly pages?: readonly Page[];
  /** The PEM file of its key and certificate, where it speaks TLS. HTTP only. */
  readonly tls?: string;
}

export interface Page {
  /** Every path, where none is given. */
  readonly path?: string;
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How a workload misbehaves on purpose (a pod's annotations). */
export interface Behaviour {
  /** The HTTP status of every answer. */
  readonly status?: number;
  /** Each answer comes this much later. */
  readonly delayMs?: number;
  /** The connection is reset (TCP) or the datagram ignored (UDP) instead of answered. */
  readonly fails?: boolean;
}

interface ServedBy {
  readonly part: ServedPort;
  readonly because: Because;
}

const HAPROXY = '/run/hoplab/servers';
const RESPONDER = '/run/hoplab/responder.pl';
const RESPONDER_CONFIG = '/run/hoplab/responder.conf';
const RESPONDER_PID = '/run/hoplab/responder.pid';

/** The text of the programs that a lab brings along (`host/*.pl`, `host/*.sh`): planning reads no files. */
export interface Programs {
  readonly responder: string;
  readonly dropLog: string;
  readonly clusterDns: string;
  readonly nlbTargets: string;
  readonly postgres: string;
}

export function planServers(servers: readonly ServedBy[], programs: Programs): Planned[] {
  const because: Because = { concept: 'server', thing: 'lab', at: undefined };
  const sorted = [...servers].sort((a, b) => compare(a.part, b.part));
  const http = sorted.map(({ part }) => part).filter((part) => part.http);
  const raw = sorted.map(({ part }) => part).filter((part) => !part.http);
  const objects: KernelObject[] = [];
  if (http.length > 0) {
    const listening = { name: 'haproxy', sockets: sockets(http) };
    objects.push(...haproxyDaemon(HAPROXY, renderHaproxy(http), listening));
  }
  if (raw.length > 0) {
    const content = raw.map(renderResponderLine).join('');
    objects.push(
      { kind: 'file', path: RESPONDER, content: programs.responder },
      { kind: 'file', path: RESPONDER_CONFIG, content },
      restartedDaemon({
        name: 'responder',
        pidFile: RESPONDER_PID,
        command: `perl ${RESPONDER} ${RESPONDER_CONFIG} ${RESPONDER_PID}`,
        reads: programs.responder + content,
        stop: kill(RESPONDER_PID),
        sockets: sockets(raw),
      }),
    );
  }
  return objects.map((object) => ({ object, because }));
}

function sockets(ports: readonly ServedPort[]): ListeningSocket[] {
  return ports.map(({ netns, protocol, port }) => ({ netns, protocol, port }));
}

function compare(a: ServedPort, b: ServedPort): number {
  const text = (part: ServedPort): string =>
    `${part.netns} ${part.protocol} ${String(part.port).padStart(5, '0')}`;
  return text(a) < text(b) ? -1 : 1;
}

function renderHaproxy(ports: readonly ServedPort[]): string {
  const head = [
    ...HAPROXY_GLOBAL,
    '    stats socket /run/hoplab/servers.sock mode 600 level admin',
    'defaults',
    '    mode http',
    '    timeout client 60s',
    '    timeout http-request 10s',
    '    timeout http-keep-alive 60s',
  ];
  const frontends = ports.flatMap((port) => [
    `frontend ${port.netns}:${port.port}`,
    `    bind :${port.port} namespace ${port.netns}${port.tls === undefined ? '' : ` ssl crt ${port.tls}`}`,
    ...(port.pages === undefined ? renderBehaviour(port) : port.pages.map(renderPage)),
  ]);
  return [...head, ...frontends, ''].join('\n');
}

function renderPage({ path, status, contentType, body, headers = {} }: Page): string {
  const words = [
    `    http-request return status ${status} content-type ${quote(contentType)}`,
    ...Object.entries(headers).map(([name, value]) => `hdr ${name} ${quote(value)}`),
    `string ${quote(body)}`,
    ...(path === undefined ? [] : [`if { path ${path} }`]),
  ];
  return words.join(' ');
}

/** @see HAProxy configuration manual 2.2 "Quoting and escaping": between single quotes all stands for itself */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function renderBehaviour(port: ServedPort): string[] {
  const { status = 200, delayMs, fails = false } = port.behaviour;
  if (fails) return ['    http-request reject'];
  const answer = `content-type application/json lf-string '${renderAnswer(port)}'\\n`;
  // A tarpit is HAProxy's one way to answer late: it holds the request for `timeout tarpit`, then returns the answer.
  return delayMs === undefined
    ? [`    http-request return status ${status} ${answer}`]
    : [`    timeout tarpit ${delayMs}ms`, `    http-request tarpit status ${status} ${answer}`];
}

function renderAnswer(port: ServedPort): string {
  const fixed = Object.entries(port.identity).map(([key, value]) => `"${key}":"${value}"`);
  const seen = [
    `"port":${port.port}`,
    '"client":"%[src]"',
    '"clientPort":%[src_port]',
    '"method":"%[method]"',
    '"path":"%[path,json(utf8s)]"',
    '"host":"%[req.hdr(host),json(utf8s)]"',
    '"xForwardedFor":"%[req.fhdr(x-forwarded-for),json(utf8s)]"',
    '"xForwardedProto":"%[req.hdr(x-forwarded-proto),json(utf8s)]"',
    '"xForwardedPort":"%[req.hdr(x-forwarded-port),json(utf8s)]"',
  ];
  return `{${[...fixed, ...seen].join(',')}}`;
}

/** `NETNS PROTOCOL PORT DELAY_MS|fail JSON-MEMBERS`, a line a socket. */
function renderResponderLine(port: ServedPort): string {
  const identity = JSON.stringify(port.identity).slice(1, -1);
  const mode = port.behaviour.fails === true ? 'fail' : String(port.behaviour.delayMs ?? 0);
  return `${port.netns} ${port.protocol} ${port.port} ${mode} ${identity}\n`;
}
