/**
 * A packet on its way through the model, and what it leaves behind: the things it passed, who changed its addresses,
 * how many took one off its time to live.
 *
 * A way is a row of stages. Each stage is decided in one file (leave.ts, router.ts, receive.ts, beyond.ts) from the
 * Cloud and the packet alone, and names the next one, until the packet has arrived or is lost.
 */

import type { LoadBalancer, LoadBalancerNode } from '../aws/application-load-balancer.ts';
import type {
  NetworkLoadBalancer,
  NlbHealthCheck,
  NlbTarget,
} from '../aws/network-load-balancer.ts';
import type { DbInstance, DbServer } from '../aws/db-instance.ts';
import type { NatGateway } from '../aws/nat-gateway.ts';
import type { Instance } from '../aws/instance.ts';
import type { InternetGateway } from '../aws/internet-gateway.ts';
import type { NetworkInterface } from '../aws/network-interface.ts';
import type { Vpc } from '../aws/vpc.ts';
import type { PortRange } from '../aws/ip-permission.ts';
import type { SourceRef } from '../base/diagnostic.ts';
import type { Ipv4 } from '../base/ip.ts';
import type { Cloud } from '../cloud.ts';
import type { Node } from '../eks/node.ts';
import type { Pod } from '../eks/vpc-cni.ts';
import type { InternetHost } from '../internet/host.ts';
import type { Code } from './code.ts';

export type Protocol = 'tcp' | 'udp' | 'icmp';

export interface Packet {
  readonly protocol: Protocol;
  readonly source: Ipv4;
  readonly destination: Ipv4;
  /** Where somebody chooses a port, all that may be chosen. */
  readonly sourcePort: PortRange;
  readonly destinationPort: PortRange;
  readonly icmp: { readonly type: number; readonly code: number };
  /** An ICMP error, which speaks of another packet. */
  readonly isError: boolean;
  /** TCP's own refusal, with which connection tracking forgets a connection that never stood. */
  readonly isReset: boolean;
  readonly sizeBytes: number;
  readonly dontFragment: boolean;
  /** Once cut it stays cut: who puts fragments together on the way cuts them again. */
  readonly isFragmented: boolean;
}

/** Anything that sends, receives or forwards as a host does. A pod with hostNetwork is its node. */
export type Place =
  | { readonly kind: 'pod'; readonly reference: string; readonly pod: Pod; readonly node: Node }
  | { readonly kind: 'node'; readonly reference: string; readonly node: Node }
  | { readonly kind: 'instance'; readonly reference: string; readonly instance: Instance }
  /** A node of a load balancer. */
  | {
      readonly kind: 'alb';
      readonly reference: string;
      readonly balancer: LoadBalancer;
      readonly node: LoadBalancerNode;
    }
  | {
      readonly kind: 'nlb';
      readonly reference: string;
      readonly balancer: NetworkLoadBalancer;
      readonly node: LoadBalancerNode;
    }
  | {
      readonly kind: 'rds';
      readonly reference: string;
      readonly database: DbInstance;
      readonly server: DbServer;
    }
  | { readonly kind: 'nat'; readonly reference: string; readonly gateway: NatGateway }
  /** The Amazon DNS server, an address of the VPC's router. */
  | { readonly kind: 'resolver'; readonly reference: string; readonly vpc: Vpc }
  | { readonly kind: 'host'; readonly reference: string; readonly host: InternetHost };

export interface Arrived {
  readonly at: 'arrived';
  readonly place: Place;
}

export interface Lost {
  readonly at: 'lost';
  readonly code: Code;
  readonly because: string;
  readonly source: SourceRef | undefined;
  /** The object that decided: `sg/web ingress`, `acl/private egress rule 90`, `rtb/public`. */
  readonly by: string | undefined;
  /** Where the stage knows better than `REMEDY`. */
  readonly remedy: string | undefined;
}

/** Somebody on the way says no, at once and to the sender. */
export interface Rejected {
  readonly at: 'rejected';
  readonly place: Place;
  readonly code: Code;
  readonly because: string;
  readonly by: string;
  readonly source: SourceRef | undefined;
}

export type Stage =
  /** The thing that made the packet looks for the way out. */
  | { readonly at: 'sent'; readonly by: Place }
  /** An ENI put it into the VPC: the source check, then the subnet's route table. */
  | { readonly at: 'router'; readonly eni: NetworkInterface }
  /** The VPC's own addresses: whoever has the destination. */
  | { readonly at: 'local'; readonly vpc: Vpc; readonly from: NetworkInterface | undefined }
  /** A route or the VPC's mapping hands it to an ENI; `from` an ENI, or else from the internet gateway. */
  | {
      readonly at: 'eni';
      readonly eni: NetworkInterface;
      readonly vpc: Vpc;
      readonly from: NetworkInterface | undefined;
    }
  | {
      readonly at: 'outwards';
      readonly vpc: Vpc;
      readonly gateway: InternetGateway;
      readonly from: NetworkInterface;
    }
  | { readonly at: 'internet' }
  | Arrived
  | Rejected
  | Lost;

/** What somebody replaced, and remembers for the reply. */
interface Replacement {
  /** How often whoever did it has seen the packet since, each time as a connection of its own. */
  seenAgain: number;
}

/** A source address that was replaced. */
interface Translation extends Replacement {
  readonly by: string;
  readonly original: Ipv4;
  readonly translated: Ipv4;
  readonly peer: Ipv4;
  readonly originalPort: PortRange;
}

/** A destination that was replaced. */
interface Redirection extends Replacement {
  readonly by: string;
  readonly original: Ipv4;
  readonly originalPort: PortRange;
  readonly redirected: Ipv4;
}

/** What somebody decided about a packet, in the order in which it came by. */
export interface Note {
  /** Where the packet was then, as the user names it. */
  readonly where: string;
  readonly text: string;
  readonly at: SourceRef | undefined;
}

/** From these a NAT gateway and a node that translates choose. @see src/aws/nat-gateway.ts SOURCE_PORTS */
export const TRANSLATED_PORTS: PortRange = { from: 1024, to: 65_535 };

/** Which of several a packet takes, each time that there is a choice: as planned, and then the first. */
export class Picks {
  readonly made: { readonly index: number; readonly of: number }[] = [];
  readonly #planned: readonly number[];

  constructor(planned: readonly number[]) {
    this.#planned = planned;
  }

  next(of: number): number {
    const index = this.#planned[this.made.length] ?? 0;
    this.made.push({ index, of });
    return index;
  }
}

export class Traveller {
  readonly cloud: Cloud;
  readonly path: string[] = [];
  /** What happened on the way, each a clause of a sentence. */
  readonly story: string[] = [];
  /** The same, and what the story would be too long with. */
  readonly notes: Note[] = [];
  /** Set where the verdict hangs on something that the model does not know: a port that is chosen on the way. */
  depends: string | undefined;
  packet: Packet;
  /** Made by the VPC's router itself, behind whose back the gates stand. */
  isBeforeTheGates = false;
  /** How many took one off the time to live. */
  hops = 0;
  /** The last declared route that it took. */
  route: SourceRef | undefined;
  /** What a load balancer's health check of a target finds, asked from one of its nodes. */
  isWell: (from: string, target: NlbTarget, check: NlbHealthCheck) => boolean = () => true;
  /** The node that will put its own address in the place of the source when it sends the packet on. */
  masqueradedBy: string | undefined;
  /** The node that refused it, and so keeps nothing of the connection. */
  refusedBy: string | undefined;
  readonly #request: Traveller | undefined;
  readonly #picks: Picks;
  readonly #redirections: Redirection[] = [];
  readonly #forgottenBy = new Set<string>();
  readonly #translations: Translation[] = [];
  /** The connections that bear the client's address behind a load balancer, as the VPC knows them. */
  readonly #handedOn: { eni: NetworkInterface; client: Ipv4; target: Ipv4 }[] = [];
  /** The ENIs whose security groups saw this packet, with the addresses that it bore then. */
  readonly #tracked: { eni: string; source: Ipv4; destination: Ipv4 }[] = [];

  /** `request` is what this packet answers, if it does. */
  constructor(cloud: Cloud, packet: Packet, request?: Traveller, picks = new Picks([])) {
    this.cloud = cloud;
    this.packet = packet;
    this.#request = request;
    this.#picks = picks;
  }

  get isReply(): boolean {
    return this.#request !== undefined;
  }

  /** An error of which nobody but its maker can know what it speaks of: its maker is the first that saw that. */
  get isOfUnseen(): boolean {
    const request = this.#request;
    return this.packet.isError && request?.refusedBy !== undefined && request.#tracked.length === 0;
  }

  /** An error that speaks of what this node refused itself. */
  isOfRefusalBy(by: string): boolean {
    return this.packet.isError && this.#request?.refusedBy === by;
  }

  pass(reference: string): void {
    if (this.path.at(-1) !== reference) this.path.push(reference);
  }

  tell(clause: string, at?: SourceRef): void {
    this.story.push(clause);
    this.note(clause, at);
  }

  note(text: string, at?: SourceRef): void {
    this.notes.push({ where: this.path.at(-1) ?? '', text, at });
  }

  /** An ENI's security groups let it pass, and will let its answer pass. */
  track(eni: string): void {
    const { source, destination } = this.packet;
    this.#tracked.push({ eni, source, destination });
  }

  isKnownTo(eni: string): boolean {
    const { source, destination } = this.packet;
    if (this.#request === undefined) {
      // An appliance sends on what it was let in with.
      return this.#tracked.some(
        (one) => one.eni === eni && one.source === source && one.destination === destination,
      );
    }
    return this.#request.#tracked.some(
      (one) => one.eni === eni && one.source === destination && one.destination === source,
    );
  }

  forward(): void {
    this.hops += 1;
  }

  /** One of several, each as likely; never none. */
  pick<Choice>(choices: readonly Choice[]): Choice {
    const choice = choices[this.#picks.next(choices.length)];
    if (choice === undefined) throw new Error('there is nothing to choose from');
    return choice;
  }

  get isSentOn(): boolean {
    return this.#redirections.length > 0;
  }

  /** A reply to what was sent on. */
  get isOfService(): boolean {
    return this.#request?.isSentOn === true;
  }

  /** A node sends a connection on to an endpoint; the reply will bear the address that was asked. */
  sendOn(
    by: string,
    destination: Ipv4,
    port: number,
    how: { readonly clause: string; readonly at: SourceRef; readonly isMasqueraded: boolean },
  ): void {
    const { destination: original, destinationPort: originalPort } = this.packet;
    this.packet = { ...this.packet, destination, destinationPort: { from: port, to: port } };
    const redirected = destination;
    this.#redirections.push({ by, original, originalPort, redirected, seenAgain: 0 });
    this.tell(how.clause, how.at);
    if (how.isMasqueraded) this.masqueradedBy = by;
  }

  /**
   * What a node has replaced something in may come by once more, round by the VPC. The first connection has these
   * addresses and ports for its answers, so that this one gets another source port, by which its answers are known.
   */
  passAgain(by: string): void {
    const { source, destination } = this.packet;
    const seen: Replacement[] = [
      ...this.#redirections.filter((one) => one.by === by && one.redirected === destination),
      ...this.#translations.filter(
        (one) => one.by === by && one.translated === source && one.peer === destination,
      ),
    ];
    if (seen.length === 0) return;
    for (const one of seen) one.seenAgain += 1;
    this.note(`${by} has sent it on before, and takes it for another connection now`);
  }

  /**
   * A reply bears again the address that its request was sent to, where the one who changed that sees it. So does an error,
   * whoever says it on the way: it looks like the reply.
   * @see Linux net/netfilter/nf_nat_core.c nf_nat_icmp_reply_translation
   */
  restoreSource(by: string): boolean {
    const request = this.#request;
    if (request === undefined) return false;
    const { source, isError } = this.packet;
    const found = request.#redirections.find(
      (one) => one.by === by && (isError || one.redirected === source),
    );
    if (found === undefined || isOfLaterPass(found)) return false;
    this.packet = { ...this.packet, source: found.original, sourcePort: found.originalPort };
    return true;
  }

  /** A load balancer's ENI hands the packet on as the client's. */
  handOn(eni: NetworkInterface): void {
    const { source, destination } = this.packet;
    this.#handedOn.push({ eni, client: source, target: destination });
  }

  get isHandedOn(): boolean {
    return this.#handedOn.length > 0;
  }

  /** The load balancer's ENI that this reply goes back by, whatever the route tables say. */
  get handedOnBy(): NetworkInterface | undefined {
    const { source, destination } = this.packet;
    const request = this.#request;
    if (request === undefined) return undefined;
    return request.#handedOn.find((one) => one.client === destination && one.target === source)
      ?.eni;
  }

  /** Whether who asked gets the answer from whom he asked. */
  get isFromWhomWasAsked(): boolean {
    const request = this.#request;
    if (request === undefined) return true;
    const [first] = request.#redirections;
    return first === undefined || first.original === this.packet.source;
  }

  /** A refusal passes a node; true where that node has forgotten of what it is, because it passed before. */
  passReset(by: string): boolean {
    const request = this.#request;
    if (request === undefined || !this.packet.isReset) return false;
    // Who replaced something has two connections, and forgets one each time.
    const hasTwo = request.isSentOn || request.#translations.some((one) => one.by === by);
    const isForgotten = this.#forgottenBy.has(by) && !hasTwo;
    this.#forgottenBy.add(by);
    return isForgotten;
  }

  redirect(destination: Ipv4): void {
    this.packet = { ...this.packet, destination };
  }

  /** Replaces the source; the reply to it will find its way back. */
  translate(by: string, translated: Ipv4, clause: string, ports?: PortRange): void {
    const { source: original, destination: peer, sourcePort: originalPort } = this.packet;
    const sourcePort = this.packet.protocol === 'icmp' ? originalPort : (ports ?? originalPort);
    this.packet = { ...this.packet, source: translated, sourcePort };
    if (original === translated) return;
    this.#translations.push({ by, original, translated, peer, originalPort, seenAgain: 0 });
    this.tell(clause);
  }

  /**
   * A reply that comes to who translated its request is given back the address and port that the request came with. So is
   * an error, from whomever it comes: it carries what it speaks of.
   */
  restore(by: string): boolean {
    const { source, destination, isError } = this.packet;
    if (this.#request === undefined) return false;
    const found = this.#request.#translations.find(
      (one) => one.by === by && one.translated === destination && (isError || one.peer === source),
    );
    if (found === undefined || isOfLaterPass(found)) return false;
    const { original, originalPort: destinationPort } = found;
    this.packet = { ...this.packet, destination: original, destinationPort };
    return true;
  }

  /**
   * Goes over the first link. What the sender cuts itself may be cut again; of what it need not cut, Linux says that
   * nobody may, so as to learn the path's MTU. An answer of the kernel's own is not so strict.
   */
  setOut(mtuBytes: number, link: string): Lost | undefined {
    const tooBig = this.squeeze(mtuBytes, link);
    const { isFragmented } = this.packet;
    if (!isFragmented && !this.isReply) this.packet = { ...this.packet, dontFragment: true };
    return tooBig;
  }

  /** Goes over a link; what is too big for it is cut, or lost where it must not be. */
  squeeze(mtuBytes: number, link: string): Lost | undefined {
    const { sizeBytes, dontFragment } = this.packet;
    if (sizeBytes <= mtuBytes) return undefined;
    if (dontFragment) {
      const what = `a packet of ${sizeBytes} bytes that must not be cut does not fit`;
      return lost('PACKET_TOO_BIG', `${what} ${link}, whose MTU is ${mtuBytes}`);
    }
    this.packet = { ...this.packet, isFragmented: true };
    return undefined;
  }
}

/** Whoever saw the request several times sees the reply so often, the last connection first. */
function isOfLaterPass(replacement: Replacement): boolean {
  if (replacement.seenAgain === 0) return false;
  replacement.seenAgain -= 1;
  return true;
}

export function lost(
  code: Code,
  because: string,
  source?: SourceRef,
  more: { readonly by?: string; readonly remedy?: string } = {},
): Lost {
  const { by, remedy } = more;
  return { at: 'lost', code, because, source, by, remedy };
}
