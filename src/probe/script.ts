/**
 * A group of probes as one shell script: captures first, then all probes at once, then what was seen; then the
 * samples that nobody need see; all of it as one archive.
 *
 * The requests are sent by the tools that a person would use (ping, curl, socat, dig, psql), each inside its thing's netns.
 */

import { DROP_LOG } from '../aws/drop-log.ts';
import { CA_CERTIFICATE } from '../eks/control-plane.ts';
import type { NetnsName } from '../base/names.ts';
import type { ProbeSpec } from '../observe/probe-spec.ts';
import { renderFlush } from './drop-log.ts';
import { LAST_PORT } from './ports.ts';
import type { PortRange } from '../aws/ip-permission.ts';
import type { Request } from './request.ts';

export interface Ask {
  readonly request: Request;
  readonly probe: ProbeSpec;
  /** The source ports that this probe may use, so that its packets are told from another's. */
  readonly ports: PortRange;
  /** One for each further sample: what the kernel gives out might be another probe's. */
  readonly samplePorts?: PortRange | undefined;
  /** Stands in the payload of pings and datagrams. */
  readonly token: string;
}

/** Long enough for an answer once a connection stands; a request that nobody takes ends at the probe's own time-out. */
const ANSWER_SECONDS = 3;
/**
 * Where an answer is expected, a busy machine gets more time than the probe's own: that costs nothing when the answer
 * comes, and only silence that is expected has to be waited for each time.
 */
export const PATIENCE_MS = 2000;
/** Of a probe's samples so many are under way at once: few, because how long each takes is shown. */
const PARALLEL = 8;
/** What timeout(1) exits with where it has ended the program. */
export const TIMED_OUT = 124;
/** Far longer than it takes tcpdump to get its turn. */
const SETTLE_TRIES = 400;

export function renderProbeScript(
  asks: readonly Ask[],
  captures: readonly NetnsName[],
  conntrack: readonly NetnsName[],
): string {
  const lines = [
    // A directory is held locked by whoever uses it; one that is not was left by a command that was killed.
    'for d in /run/hoplab/probe.*; do [ ! -d "$d" ] || flock -n "$d" rm -rf "$d"; done',
    'd=$(mktemp -d /run/hoplab/probe.XXXXXX) && cd "$d" && exec 7<"$d" && flock -n 7 || exit 1',
    'trap \'rm -rf "$d"\' EXIT',
    'captures=',
  ];
  for (const netns of captures) {
    lines.push(
      `nsenter --net=/run/netns/${netns} sh -c 'read -r pid rest </proc/self/stat; echo "$pid" >${netns}.pid; ip -o link >${netns}.links; exec tcpdump -Z root -i any -n -U --immediate-mode -s 256 -w ${netns}.pcap ip' >/dev/null 2>${netns}.tcpdump & captures="$captures $!"`,
    );
  }
  if (captures.length > 0) {
    lines.push(
      'tries=0',
      'while :; do',
      '  ready=1',
      `  for n in ${captures.join(' ')}; do`,
      '    a=; b=; [ -e "$n.tcpdump" ] && { read -r a; read -r b; } <"$n.tcpdump"',
      '    case "$a$b" in *listening*) ;; *) ready=0 ;; esac',
      '  done',
      '  tries=$((tries + 1))',
      '  { [ $ready = 1 ] || [ $tries -gt 600 ]; } && break',
      '  sleep 0.005',
      'done',
    );
  }
  if (asks.some(({ request }) => request.kind === 'psql')) lines.push(FIND_PSQL);
  // Read from its end on: by the open file, for the log may be moved aside meanwhile and begin anew.
  lines.push(`[ ! -e ${DROP_LOG} ] || { exec 8<${DROP_LOG}; tail -c 1 <&8 >/dev/null; }`);
  lines.push('probes=');
  asks.forEach((ask, index) => {
    lines.push(
      `{ ${renderAsk(ask, index)} >${index}.out 2>${index}.err; echo $? >${index}.exit; } & probes="$probes $!"`,
    );
  });
  lines.push('wait $probes');
  for (const netns of conntrack) {
    lines.push(`nsenter --net=/run/netns/${netns} conntrack -L >${netns}.conntrack 2>/dev/null`);
  }
  lines.push(
    `[ ! -e ${DROP_LOG} ] || { ${renderFlush()}; cat <&8; [ ${DROP_LOG} -ef /proc/self/fd/8 ] || cat ${DROP_LOG}; } >drops`,
  );
  // Closing a capture takes the kernel a while: nobody waits for it.
  if (captures.length > 0) lines.push(...renderSettling(captures), 'kill $captures');
  const later = asks.flatMap((ask, index) => (isWatched(ask) ? [] : renderSamples(ask, index)));
  if (later.length > 0) {
    lines.push('samples=', ...later.map((line) => `${line} & samples="$samples $!"`));
    lines.push('wait $samples');
  }
  lines.push('tar -cf - .');
  return lines.join('\n');
}

/**
 * Waits until all captures have handed on what has come: each packet is in its file once tcpdump has it (-U), and it has all
 * once it waits for more. Whoever has a packet to read is runnable from the moment that it comes.
 * @see proc_pid_stat(5): the third field is the state
 */
function renderSettling(captures: readonly NetnsName[]): string[] {
  return [
    'tries=0',
    'while :; do',
    '  busy=',
    `  for n in ${captures.join(' ')}; do`,
    '    state=; read -r pid <"$n.pid" && read -r a b state rest <"/proc/$pid/stat"',
    '    case $state in R | D) busy=1 ;; esac',
    '  done 2>/dev/null',
    '  tries=$((tries + 1))',
    `  { [ -z "$busy" ] || [ $tries -gt ${SETTLE_TRIES} ]; } && break`,
    '  sleep 0.005',
    'done',
  ];
}

/**
 * Whether all of its samples are to be seen, and not the first request alone: where somebody must not see any of them. All
 * others come when nobody listens any more, which would take its time from those whose times are shown.
 */
function isWatched({ probe }: Ask): boolean {
  return probe.expect.silent.length > 0 || probe.expect.conntrack.length > 0;
}

/** How long a request may take as a whole, its answer included. */
export function maxMs({ request, probe }: Pick<Ask, 'request' | 'probe'>): number {
  return patienceMs({ request, probe }) + ANSWER_SECONDS * 1000;
}

/** A datagram's sender always waits to the end: it can't know that nothing more comes. */
function patienceMs({ request, probe }: Pick<Ask, 'request' | 'probe'>): number {
  return expectsAnswer({ request, probe }) ? Math.max(probe.timeout, PATIENCE_MS) : probe.timeout;
}

function expectsAnswer({ request, probe }: Pick<Ask, 'request' | 'probe'>): boolean {
  return probe.expect.verdict !== 'timeout' && request.kind !== 'udp';
}

/** Debian's psql is a script that looks for the real one, which takes longer than some probes wait. */
const FIND_PSQL =
  'psql=psql; for p in /usr/lib/postgresql/*/bin/psql; do [ ! -x "$p" ] || psql=$p; done; export psql';
/**
 * psql counts whole seconds, from two on. Where silence is expected this waits from when the connection is being opened
 * (in state 02, SYN_SENT): before that psql starts and asks a DNS server, on a busy machine for as long again.
 * @see proc_net_tcp.rst: the remote address and port in hexadecimal, the state
 */
function untilSilence(command: string, { request }: Ask, seconds: number): string {
  const opening = `:${request.port.toString(16).toUpperCase().padStart(4, '0')} 02 `;
  return `sh -c '${command.replaceAll("'", String.raw`'\''`)} & p=$!; while kill -0 $p 2>/dev/null && ! grep -q "${opening}" /proc/self/net/tcp; do sleep 0.02; done; sleep ${seconds}; kill $p 2>/dev/null && exit ${TIMED_OUT}; wait $p'`;
}
const WHO_AM_I = 'select inet_client_addr(), inet_server_addr()';

function queryOption({ query }: Pick<ProbeSpec, 'query'>): string {
  return query === undefined ? '' : ` -c '${query.replaceAll("'", String.raw`'\''`)}'`;
}

function renderAsk(ask: Ask, index: number): string {
  const { request, probe, ports, token } = ask;
  const seconds = patienceMs({ request, probe }) / 1000;
  const inside = insideOf(ask);
  const limits = `--connect-timeout ${seconds} --max-time ${seconds + ANSWER_SECONDS}`;
  switch (request.kind) {
    case 'dns':
      return `${inside} dig -u +search +showsearch +tries=1 +time=${Math.ceil(seconds)} -p ${request.port} '${request.text}'`;
    case 'http': {
      // By this a request is known again in what a load balancer sends on.
      const one = `${inside} curl -sSv${trust(request)} -H 'X-Hoplab: ${token}'${headerOptions(probe)} -o ${index}.body -w '%{json}' ${limits} --local-port ${ports.from}-${ports.to} '${request.text}'`;
      const others = isWatched(ask) ? renderSamples(ask, index) : [];
      return others.length === 0 ? one : `{ ${one}; code=$?; ${others.join('; ')}; (exit $code); }`;
    }
    case 'psql': {
      const command = `$psql -X -A -t '${request.text}' -c '${WHO_AM_I}'${queryOption(probe)}`;
      return expectsAnswer(ask)
        ? `PGCONNECT_TIMEOUT=${Math.ceil(seconds)} timeout ${seconds + ANSWER_SECONDS} ${inside} ${command}`
        : `${inside} ${untilSilence(command, ask, seconds)}`;
    }
    case 'tcp':
      return `${inside} socat -u OPEN:/dev/null TCP4:${request.text},connect-timeout=${seconds},sourceport=${ports.from},reuseaddr`;
    case 'udp':
      return `echo ${token} | ${inside} socat -t ${seconds} -T ${seconds} - UDP4:${request.text},sourceport=${ports.from}`;
    case 'ping': {
      const size = probe.size === undefined ? '' : ` -s ${probe.size}`;
      const whole = probe.fragment ? '' : ' -M do';
      const pattern = Buffer.from(token).toString('hex');
      // What an earlier probe learnt of the path's MTU is forgotten, or the kernel would refuse the packet here.
      const forget = probe.fragment
        ? ''
        : `nsenter --net=/run/netns/${request.from.netns} ip route flush cache; `;
      return `${forget}${inside} ping -n -c 1 -W ${seconds}${size}${whole} -p ${pattern} ${request.destination}`;
    }
  }
}

function insideOf({ request }: Ask): string {
  return `ip netns exec ${request.from.netns}`;
}

/** The line that sends all samples but the first; none where one is all. */
function renderSamples(ask: Ask, index: number): string[] {
  const { request, probe, samplePorts } = ask;
  if (samplePorts === undefined) return [];
  const seconds = patienceMs(ask) / 1000;
  const config = renderSampleConfig({ ...request, headers: probe.headers }, samplePorts, seconds);
  return [
    `${config} | ${insideOf(ask)} curl -s -Z --parallel-max ${PARALLEL} -K - >${index}.samples 2>${index}.times`,
  ];
}

/**
 * The shell line that prints curl's configuration of all further samples, each by a connection of its own: the servers
 * close it when they are told to. Where an earlier run of many samples has left a port waiting for the connection's end
 * (TIME_WAIT), curl goes on to the next one that is free.
 */
export function renderSampleConfig(
  { text, headers = {} }: Pick<Request, 'text'> & Pick<ProbeSpec, 'headers'>,
  { from, to }: PortRange,
  seconds: number,
): string {
  const options = [
    `url = "${text}"`,
    'header = "Connection: close"',
    ...Object.entries(headers).map(([name, value]) => `header = "${name}: ${value}"`),
    'write-out = "%{stderr}%{time_total}\\n"',
    `connect-timeout = ${seconds}`,
    `max-time = ${seconds + ANSWER_SECONDS}`,
    ...(isTls({ text }) ? [`cacert = "/var${CA_CERTIFICATE}"`] : []),
  ];
  const lines = options.map((option) => `'${option}'`).join(' ');
  return `p=${from}; next=; while [ $p -le ${to} ]; do printf '%s\\n' $next ${lines} "local-port = $p-${LAST_PORT}"; next=next; p=$((p + 1)); done`;
}

/** A query has characters that mean something to a shell. */
function shellWord(text: string): string {
  return /[?&;*$()<>|#]/.test(text) ? `'${text}'` : text;
}

function headerOptions({ headers = {} }: Pick<ProbeSpec, 'headers'>): string {
  return Object.entries(headers)
    .map(([name, value]) => ` -H '${name}: ${value}'`)
    .join('');
}

/** Who speaks TLS has a certificate of the cluster's. */
function trust(request: Pick<Request, 'text'>): string {
  return isTls(request) ? ` --cacert /var${CA_CERTIFICATE}` : '';
}

function isTls({ text }: Pick<Request, 'text'>): boolean {
  return text.startsWith('https://');
}

/** The command that a person would type for the same request. */
export function renderByHand({
  request,
  probe,
}: {
  readonly request: Pick<Request, 'kind' | 'from' | 'text'>;
  readonly probe: Pick<ProbeSpec, 'timeout' | 'size' | 'fragment' | 'headers' | 'query'>;
}): string {
  const exec = `npx hoplab exec ${request.from.reference} --`;
  const seconds = probe.timeout / 1000;
  switch (request.kind) {
    case 'dns':
      return `${exec} dig +search +showsearch ${request.text}`;
    case 'http':
      return `${exec} curl -v${trust(request)}${headerOptions(probe)} --connect-timeout ${seconds} ${shellWord(request.text)}`;
    case 'psql': {
      const query = probe.query === undefined ? ` -c '${WHO_AM_I}'` : queryOption(probe);
      return `${exec} psql ${request.text}${query}`;
    }
    case 'tcp':
      return `${exec} socat -u OPEN:/dev/null TCP4:${request.text},connect-timeout=${seconds}`;
    case 'udp':
      return `echo hello | ${exec} socat -t ${seconds} - UDP4:${request.text}`;
    case 'ping': {
      const size = probe.size === undefined ? '' : ` -s ${probe.size}`;
      return `${exec} ping -c 1${size}${probe.fragment ? '' : ' -M do'} ${request.text}`;
    }
  }
}
