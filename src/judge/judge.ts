/**
 * What becomes of a request, from the Cloud alone: the way there, who listens, and the way back.
 *
 * This is one of three voices that must agree; the others are the planned kernel state and real packets. So nothing
 * here reads a plan, and what AWS and Kubernetes do is said a second time, in their own words.
 *
 * @fidelity simplified - one exchange on a quiet network: no time-out, no limit, no state of an earlier connection; what
 *   says that a packet is too big comes from where it is made to the sender by no rule's leave
 * @see https://docs.aws.amazon.com/vpc/latest/reachability/explanation-codes.html
 */

import type { PortRange } from '../aws/ip-permission.ts';
import type { NlbHealthCheck, NlbTarget } from '../aws/network-load-balancer.ts';
import { type HealthCheck, isSuccess, type Target, type TargetGroup } from '../aws/target-group.ts';
import type { SourceRef } from '../base/diagnostic.ts';
import type { Ipv4 } from '../base/ip.ts';
import { type Cloud, type Thing, vpcOfThing } from '../cloud.ts';
import { ROUTER_ADDRESS } from '../internet/host.ts';
import { type Code, REMEDY } from './code.ts';
import { sourceAddress } from './leave.ts';
import { declaredAt, findListener, whyNobodyListens } from './listen.ts';
import { chooseTargets } from './balancer.ts';
import { nameServerOf } from './name-server.ts';
import { known, placeOf } from './places.ts';
import {
  type Arrived,
  type Lost,
  type Note,
  type Packet,
  Picks,
  type Place,
  type Protocol,
  type Rejected,
  Traveller,
} from './traveller.ts';
import { FIRST_TTL, travel } from './way.ts';

export interface Question {
  readonly protocol: Protocol;
  readonly from: Thing;
  readonly destination: Ipv4;
  /** 0 for ICMP. */
  readonly port: number;
  /** Of the whole IP packet: a ping's payload and 28. */
  readonly sizeBytes?: number;
  readonly dontFragment?: boolean;
  /** The request is HTTP, which a server that fails resets; without, the connection is all that is asked. */
  readonly http?: boolean;
  /** The request is to a name, which the sender's DNS server is asked for first. */
  readonly byName?: boolean;
  /** The request is a DNS message. */
  readonly isDns?: boolean;
  /** What of a URL a load balancer's rules look at. */
  readonly url?: AskedUrl;
  /** How long the sender waits for the whole answer. */
  readonly waitMs?: number;
}

/** What of an HTTP request a load balancer's rules look at. */
export interface AskedUrl {
  readonly host: string;
  /** With its query. */
  readonly path: string;
  /** Beside those that curl sends of itself. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What Linux chooses a source port from that nobody asks for. @see ip(7) ip_local_port_range */
const EPHEMERAL_PORTS: PortRange = { from: 32_768, to: 60_999 };
const NO_PORT: PortRange = { from: 0, to: 0 };
/** @see RFC 792 */
const ICMP = {
  reply: { type: 0, code: 0 },
  portUnreachable: { type: 3, code: 3 },
  request: { type: 8, code: 0 },
  timeExceeded: { type: 11, code: 0 },
} as const;
/** An error carries the beginning of what it speaks of. @see RFC 1812 4.3.2.3 */
const MAX_ERROR_BYTES = 576;

/** As a probe sees it: the verdicts of observe/probe-spec.ts, which the model does not look at. */
export type PredictedVerdict =
  'allowed' | 'refused' | 'timeout' | 'reset' | 'too-big' | 'unreachable';

export interface Judgement {
  readonly verdict: PredictedVerdict;
  /** The things that the request passes as far as it gets, both ends included when reached. */
  readonly path: readonly string[];
  /** The same of the reply; empty when there is none. */
  readonly replyPath: readonly string[];
  /** The source address as the receiver sees it; undefined when nobody does. */
  readonly sourceSeen: Ipv4 | undefined;
  /** The thing reached, whether its answer comes back or not; of a node's port, the hostNetwork pod behind it. */
  readonly answeredBy: string | undefined;
  /** Of an answer to HTTP, where the model knows it. */
  readonly status?: number;
  /** What the sender's ping prints: 64 less the hops of the reply. */
  readonly ttlOfReply: number | undefined;
  /** One sentence in the words of AWS and Kubernetes that says what decided. */
  readonly because: string;
  /** In the manner of Reachability Analyzer's explanation codes. */
  readonly code: Code;
  readonly at?: SourceRef;
  /** The object that decides against it: `sg/web ingress`, `acl/private egress rule 90`, `rtb/public`. */
  readonly by?: string;
  /** The change that would let it pass. */
  readonly remedy?: string;
  /** The verdict hangs on what the model does not know; then any is right. */
  readonly depends?: string;
  /** What was decided on the way there, and on the way back. */
  readonly notes: readonly Note[];
  readonly replyNotes: readonly Note[];
}

/** Of what is lost on its way, only this is told to the sender, by ICMP. */
const VERDICT_OF_ERROR: Partial<Record<Code, PredictedVerdict>> = {
  PACKET_TOO_BIG: 'too-big',
  TTL_EXCEEDED: 'unreachable',
};

/** @see RFC 1035 4.2 */
const DNS_PORT = 53;

/** More endpoints than this are told apart by nobody. */
const MAX_ALTERNATIVES = 256;

/** What may become of the request: one judgement for each endpoint that a Service may send it to. */
export function judgeAll(cloud: Cloud, question: Question): [Judgement, ...Judgement[]] {
  const found: Judgement[] = [];
  let planned: number[] = [];
  for (;;) {
    const picks = new Picks(planned);
    const first = judgeOnce(cloud, question, picks);
    found.push(first);
    const made = [...picks.made];
    while (made.length > 0 && isLast(made.at(-1))) made.pop();
    const last = made.pop();
    if (last === undefined || found.length === MAX_ALTERNATIVES) {
      const [one = first, ...others] = found;
      return [one, ...others];
    }
    planned = [...made.map(({ index }) => index), last.index + 1];
  }
}

function isLast(pick: Picks['made'][number] | undefined): boolean {
  return pick === undefined || pick.index + 1 >= pick.of;
}

/** The first of what may become of it; where the verdict hangs on the endpoint, that is said. */
export function judge(cloud: Cloud, question: Question): Judgement {
  const [first, ...others] = judgeAll(cloud, question);
  if (others.every(({ verdict }) => verdict === first.verdict)) return first;
  const verdicts = [first, ...others].map(
    ({ verdict, answeredBy, path }) => `${answeredBy ?? path.at(-1) ?? ''} ${verdict}`,
  );
  const depends = `it depends on the endpoint that is chosen: ${[...new Set(verdicts)].join(', ')}`;
  return { ...first, depends };
}

function judgeOnce(cloud: Cloud, question: Question, picks: Picks): Judgement {
  const { from, destination, protocol } = question;
  const sender = placeOf(cloud, from);
  const packetOfRequest: Packet = {
    protocol,
    source: sourceAddress(sender, destination),
    destination,
    sourcePort: protocol === 'icmp' ? NO_PORT : EPHEMERAL_PORTS,
    destinationPort: { from: question.port, to: question.port },
    icmp: ICMP.request,
    isError: false,
    isReset: false,
    sizeBytes: question.sizeBytes ?? 0,
    dontFragment: question.dontFragment ?? false,
    isFragmented: false,
  };
  const request = new Traveller(cloud, packetOfRequest, undefined, picks);
  request.isWell = (balancer, target, check) => isWell(cloud, balancer, target, check);
  request.pass(from.reference);
  const unnamed = question.byName === true ? judgeName(cloud, question, request) : undefined;
  if (unnamed !== undefined) return unnamed;
  if (isOfInternetDns(sender, question)) return judgeInternetDns(question, request);
  const end = travel(request, sender);
  if (end.at === 'rejected') {
    const { place, code, because, by, source: at } = end;
    const { error, told } = tell(cloud, request, place, ICMP.portUnreachable);
    const refusal = isAtHome(sender, request) ? 'unreachable' : 'refused';
    const isTold = told.at === 'arrived';
    const unheard = told.at === 'lost' ? `, and that is lost: ${told.because}` : '';
    return judgement(isTold ? refusal : 'timeout', code, request, {
      because: isAtHome(sender, request)
        ? `${because} its own program (EPERM)`
        : `${because}${unheard}`,
      at,
      by,
      reply: error,
    });
  }
  if (end.at === 'lost') {
    const { code, because, source: at, by, remedy } = end;
    const isOfService = code === 'NO_LOCAL_ENDPOINTS' || code === 'SERVICE_SOURCE_RANGES';
    const silence = isOfService && isAtHome(sender, request) ? 'unreachable' : 'timeout';
    const verdict = VERDICT_OF_ERROR[code] ?? silence;
    if (code !== 'TTL_EXCEEDED')
      return judgement(verdict, code, request, { because, at, by, remedy });
    const last = request.path.at(-1) ?? '';
    const place = placeOf(cloud, known(cloud.things.get(last), last));
    const { error, told } = tell(cloud, request, place, ICMP.timeExceeded);
    return judgement(told.at === 'lost' ? 'timeout' : verdict, code, request, {
      because:
        told.at === 'lost'
          ? `${because}, and what ${place.reference} says of it is lost: ${told.because}`
          : because,
      at,
      by,
      remedy,
      reply: error,
    });
  }

  const answer = answerOf(cloud, end.place, question, request);
  const reached = { sourceSeen: request.packet.source, answeredBy: answer.by };
  if (answer.verdict === 'timeout') {
    return judgement(answer.verdict, answer.code, request, {
      because: answer.because,
      at: answer.at,
      ...reached,
    });
  }
  const { source, destination: receiver } = request.packet;
  // A datagram to a closed port is answered by ICMP; of all else the answer is of the same kind.
  const isError = answer.verdict === 'refused' && protocol === 'udp';
  const packet: Packet = {
    protocol: isError ? 'icmp' : protocol,
    source: receiver,
    destination: source,
    sourcePort: request.packet.destinationPort,
    destinationPort: request.packet.sourcePort,
    icmp: isError ? ICMP.portUnreachable : ICMP.reply,
    isError,
    isReset: answer.verdict === 'refused' && protocol === 'tcp',
    sizeBytes: isError
      ? Math.min(MAX_ERROR_BYTES, request.packet.sizeBytes)
      : request.packet.sizeBytes,
    dontFragment: false,
    isFragmented: false,
  };
  const reply = new Traveller(cloud, packet, request);
  reply.pass(end.place.reference);
  const back = travel(reply, end.place);
  if (back.at === 'rejected') throw new Error('nobody rejects an answer');
  const isFromWhomWasAsked = reply.packet.source === destination || reply.isFromWhomWasAsked;
  if (back.at === 'arrived' && !isError && !isFromWhomWasAsked) {
    return judgement('timeout', 'ANSWER_FROM_ELSEWHERE', request, {
      ...reached,
      reply,
      because: `the answer comes from ${reply.packet.source}, and ${from.reference} asked ${destination}`,
      at: undefined,
    });
  }
  if (back.at === 'lost') {
    return judgement('timeout', back.code, request, {
      ...reached,
      reply,
      by: back.by,
      remedy: back.remedy,
      because: `the reply of ${end.place.reference} to ${source} is lost: ${back.because}`,
      at: back.source,
    });
  }
  const ttlOfReply = FIRST_TTL - reply.hops;
  const { place } = end;
  if (place.kind === 'alb' && answer.verdict === 'allowed' && question.http === true) {
    const rest = { ...reached, because: answer.because, at: answer.at, reply };
    const first = judgement('allowed', 'REACHABLE', request, rest);
    return throughBalancer(cloud, place, question, first, picks);
  }
  return judgement(answer.verdict, answer.code, request, {
    because: answer.because,
    at: answer.at,
    ...reached,
    reply,
    ttlOfReply,
    status: answer.status,
  });
}

/** What health checks find does not change while a cloud is as it is. */
const FOUND = new WeakMap<Cloud, Map<string, boolean>>();

/** What a health check of a Network Load Balancer's finds. */
export function isWell(
  cloud: Cloud,
  balancer: string,
  target: NlbTarget,
  check: NlbHealthCheck,
): boolean {
  const found = FOUND.get(cloud) ?? new Map<string, boolean>();
  FOUND.set(cloud, found);
  const key = `${balancer} ${target.address}:${target.port} ${check.protocol} ${check.port ?? ''} ${check.path}`;
  const before = found.get(key);
  if (before !== undefined) return before;
  const isFine = checkTarget(cloud, balancer, target, check);
  found.set(key, isFine);
  return isFine;
}

function checkTarget(
  cloud: Cloud,
  balancer: string,
  target: NlbTarget,
  check: NlbHealthCheck,
): boolean {
  const seen = judgeOnce(
    cloud,
    {
      protocol: 'tcp',
      from: known(cloud.things.get(balancer), balancer),
      destination: target.address,
      port: check.port ?? target.port,
      http: check.protocol !== 'TCP',
    },
    new Picks([]),
  );
  // Who resets a request has taken the connection.
  if (check.protocol === 'TCP') return seen.verdict === 'allowed' || seen.verdict === 'reset';
  return seen.verdict === 'allowed' && isSuccess(check, seen.status ?? 200);
}

/** The internet's name server is the first that a host's packet comes to: nothing stands between, and nobody forwards it. */
function isOfInternetDns({ kind }: Place, { destination, isDns }: Question): boolean {
  return kind === 'host' && isDns === true && destination === ROUTER_ADDRESS;
}

function judgeInternetDns({ from, destination }: Question, request: Traveller): Judgement {
  return judgement('allowed', 'REACHABLE', request, {
    because: `the internet's name server, ${destination}, answers ${from.reference}`,
    at: from.at,
    sourceSeen: request.packet.source,
  });
}

/** A datagram that the sender's own machine stops is not even sent, and the program is told so. */
function isAtHome(sender: Place, { packet, path }: Traveller): boolean {
  return packet.protocol === 'udp' && sender.kind === 'node' && path.length === 1;
}

/** What becomes of a request whose sender asks in vain what the name leads to. */
function judgeName(cloud: Cloud, { from }: Question, request: Traveller): Judgement | undefined {
  const server = nameServerOf(cloud, from);
  const vpc = server?.kind === 'vpc' ? vpcOfThing(cloud, from) : undefined;
  if (vpc?.enableDnsSupport === false) {
    const because = `enableDnsSupport of VPC "${vpc.name}" is false: nobody there answers what a name leads to`;
    return judgement('timeout', 'NO_DNS', request, { because, at: vpc.at });
  }
  if (server?.kind !== 'cluster') return undefined;
  const answers = judgeAll(cloud, {
    protocol: 'udp',
    from,
    destination: server.address,
    port: DNS_PORT,
    isDns: true,
  });
  const [silent] = answers.filter(({ verdict }) => verdict !== 'allowed');
  if (silent === undefined) return undefined;
  if (answers.some(({ verdict }) => verdict === 'allowed')) {
    request.depends = `it depends on the DNS server that is chosen: ${silent.because}`;
    return undefined;
  }
  return judgement(silent.verdict === 'refused' ? 'unreachable' : 'timeout', 'NO_DNS', request, {
    because: `the cluster's DNS does not answer what the name leads to: ${silent.because}`,
    at: silent.at,
    by: silent.by,
    remedy: silent.remedy,
  });
}

/** ELB waits so long for a connection to a target, and the target may take as long as the client waits. */
const CONNECT_MS = 10_000;

/** The load balancer's answer is all that the client sees; what the target saw is the load balancer. */
function throughBalancer(
  cloud: Cloud,
  place: Extract<Place, { kind: 'alb' }>,
  question: Question,
  first: Judgement,
  picks: Picks,
): Judgement {
  const { balancer, reference } = place;
  const from = known(cloud.things.get(reference), reference);
  const { host, path } = question.url ?? { host: question.destination, path: '/' };
  const ask = (target: Target, port: number, whose: Picks): Judgement =>
    judgeOnce(
      cloud,
      { protocol: 'tcp', from, destination: target.address, port, http: true },
      whose,
    );
  const isWell = (target: Target, check: HealthCheck): boolean => {
    const seen = ask(target, check.port ?? target.port, new Picks([]));
    return (
      seen.verdict === 'allowed' &&
      isSpoken(cloud, target, check.protocol) &&
      isSuccess(check, seen.status ?? 200)
    );
  };
  const [bare = '/', ...query] = path.split('?');
  const headers = headersOf(question.url?.headers);
  const request = {
    port: question.port,
    host: headers.get('host')?.replace(/:\d+$/, '') ?? host,
    path: bare,
    query: query.join('?'),
    method: 'GET',
    headers,
    source: first.sourceSeen ?? known(question.from.address, question.from.reference),
  };
  const choice = chooseTargets(balancer, reference, request, isWell, (of) => picks.next(of));
  if (choice === undefined) return first;
  const { because, at } = choice;
  if (choice.kind === 'answer') {
    const answered = choice.status >= 500 ? { by: reference } : {};
    return { ...first, status: choice.status, because, at, ...answered };
  }
  const index = picks.next(choice.targets.length);
  const target = choice.targets[index] ?? choice.targets[0];
  const second = ask(target, target.port, picks);
  const joined = {
    ...first,
    path: [...first.path, ...second.path.slice(1)],
    notes: [...first.notes, { where: reference, text: because, at }, ...second.notes],
    because: `${because}; ${second.because}`,
    at,
    sourceSeen: second.sourceSeen,
  };
  // Where no connection is opened, nothing of the request goes on.
  const notOpened = { path: first.path, answeredBy: reference, sourceSeen: first.sourceSeen };
  switch (second.verdict) {
    case 'allowed':
      if (!isSpoken(cloud, target, choice.group.protocol)) {
        const spoken = `${target.who} does not speak ${choice.group.protocol}`;
        const wrong = { because: `${because}; ${spoken}`, by: target.who, answeredBy: reference };
        return { ...joined, ...wrong, status: 502 };
      }
      return {
        ...joined,
        ...(second.status === undefined ? {} : { status: second.status }),
        answeredBy: second.answeredBy,
      };
    case 'reset':
      return { ...joined, status: 502, answeredBy: reference, by: second.by ?? target.who };
    case 'refused':
      return { ...joined, ...notOpened, status: 502, by: second.by ?? target.who };
    case 'timeout':
    case 'unreachable':
    case 'too-big': {
      const { by = target.who, remedy } = second;
      const more = { ...notOpened, by, ...(remedy === undefined ? {} : { remedy }) };
      return (question.waitMs ?? 0) > CONNECT_MS
        ? { ...joined, ...more, status: 504 }
        : { ...joined, ...more, verdict: 'timeout', code: second.code };
    }
  }
}

/** TLS is spoken by the control plane alone; pods answer in plain HTTP. */
function isSpoken(cloud: Cloud, { address }: Target, protocol: TargetGroup['protocol']): boolean {
  const servers = cloud.cluster?.controlPlane.servers ?? [];
  const isTls = servers.some(({ interfaces: [eni] }) => eni.addresses[0].address === address);
  return isTls === (protocol === 'HTTPS');
}

/** Whichever version of curl asks. */
const CURL_HEADERS = { accept: '*/*', 'user-agent': 'curl/' } as const;

function headersOf(asked: Readonly<Record<string, string>> = {}): Map<string, string> {
  const written = Object.entries(asked).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  );
  return new Map([...Object.entries(CURL_HEADERS), ...written]);
}

/** Whoever can't send a packet on, or will not, tells the sender of it, which may end in a circle, too. */
function tell(
  cloud: Cloud,
  request: Traveller,
  place: Place,
  icmp: Packet['icmp'],
): { readonly error: Traveller; readonly told: Arrived | Rejected | Lost } {
  const { source: destination, sizeBytes } = request.packet;
  const error = new Traveller(
    cloud,
    {
      protocol: 'icmp',
      source: sourceAddress(place, destination),
      destination,
      sourcePort: NO_PORT,
      destinationPort: NO_PORT,
      icmp,
      isError: true,
      isReset: false,
      sizeBytes: Math.min(MAX_ERROR_BYTES, sizeBytes),
      dontFragment: false,
      isFragmented: false,
    },
    request,
  );
  error.pass(place.reference);
  return { error, told: travel(error, place) };
}

interface Answer {
  readonly status?: number;
  readonly verdict: PredictedVerdict;
  readonly code: Code;
  readonly by: string;
  readonly because: string;
  readonly at: SourceRef | undefined;
}

function answerOf(cloud: Cloud, place: Place, question: Question, request: Traveller): Answer {
  const { protocol } = question;
  // A Service may have sent it on to another one.
  const port = request.packet.destinationPort.from;
  const way = request.story.length === 0 ? '' : `: ${request.story.join(', ')}`;
  const reachable: Answer = {
    verdict: 'allowed',
    code: 'REACHABLE',
    by: place.reference,
    because: `${question.from.reference} reaches ${place.reference}${way}`,
    at: request.route,
  };
  if (place.kind === 'resolver') {
    // A connection is all that a probe can ask of it: what it sends is no DNS message, and no answer is due.
    const isAsked = protocol === 'tcp' ? question.http !== true : question.isDns === true;
    if (isAsked && port === DNS_PORT) return reachable;
    const because = `the DNS server of ${place.reference} answers DNS messages on port ${DNS_PORT} and nothing else`;
    return {
      verdict: 'timeout',
      code: 'NOT_LISTENING',
      by: place.reference,
      because,
      at: place.vpc.at,
    };
  }
  if (protocol === 'icmp') return reachable;
  const at = declaredAt(place);
  const listener = findListener(cloud, place, protocol, port);
  if (listener?.isDnsServer === true && protocol === 'udp' && question.isDns !== true) {
    const because = `${listener.reference} answers DNS messages and nothing else`;
    return { verdict: 'timeout', code: 'NOT_LISTENING', by: listener.reference, because, at };
  }
  if (listener === undefined) {
    const because = whyNobodyListens(cloud, place, protocol, port);
    return { verdict: 'refused', code: 'NOT_LISTENING', by: place.reference, because, at };
  }
  const by = listener.reference;
  if (listener.fails && protocol === 'udp') {
    const because = `${by} ignores every datagram (hoplab.io/fails)`;
    return { verdict: 'timeout', code: 'SERVER_FAILS', by, because, at };
  }
  if (listener.fails && question.http === true) {
    const because = `${by} resets every connection (hoplab.io/fails)`;
    return { verdict: 'reset', code: 'SERVER_FAILS', by, because, at };
  }
  const isHttp = question.http === true;
  return {
    ...reachable,
    by,
    ...(isHttp && listener.status !== undefined ? { status: listener.status } : {}),
  };
}

function judgement(
  verdict: PredictedVerdict,
  code: Code,
  request: Traveller,
  rest: {
    readonly because: string;
    readonly at: SourceRef | undefined;
    readonly sourceSeen?: Ipv4;
    readonly answeredBy?: string;
    readonly reply?: Traveller;
    readonly ttlOfReply?: number;
    readonly status?: number | undefined;
    readonly by?: string | undefined;
    readonly remedy?: string | undefined;
  },
): Judgement {
  const { at, reply } = rest;
  const by = rest.by ?? rest.answeredBy;
  const remedy = rest.remedy ?? REMEDY[code];
  const depends = request.depends ?? reply?.depends;
  const line = at === undefined ? '' : ` (${at.file}:${at.line})`;
  return {
    verdict,
    path: request.path,
    replyPath: reply?.path ?? [],
    notes: request.notes,
    replyNotes: reply?.notes ?? [],
    ...(verdict === 'allowed' || by === undefined ? {} : { by }),
    ...(verdict === 'allowed' || remedy === undefined ? {} : { remedy }),
    ...(depends === undefined ? {} : { depends }),
    sourceSeen: rest.sourceSeen,
    answeredBy: rest.answeredBy,
    ttlOfReply: rest.ttlOfReply,
    ...(rest.status === undefined ? {} : { status: rest.status }),
    because: `${rest.because}${line}`,
    code,
    ...(at === undefined ? {} : { at }),
  };
}
