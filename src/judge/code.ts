/** Why a request ends as it does, in one word each, and what would let it pass. */

/** In the manner of AWS Reachability Analyzer's explanation codes. */
export type Code =
  | 'REACHABLE'
  | 'NOT_LISTENING'
  | 'SERVER_FAILS'
  | 'NO_DNS'
  | 'NO_ROUTE_TO_DESTINATION'
  | 'ROUTE_BLACKHOLE'
  | 'ROUTING_LOOP'
  | 'TTL_EXCEEDED'
  | 'ADDRESS_NOT_ASSIGNED'
  | 'SOURCE_DEST_CHECK'
  | 'ENI_SG_RULES_MISMATCH'
  | 'SUBNET_ACL_RESTRICTION'
  | 'NETWORK_POLICY'
  | 'IGW_NO_PUBLIC_ADDRESS'
  | 'PRIVATE_DESTINATION'
  | 'NAT_INBOUND'
  | 'NAT_NO_CONNECTION'
  | 'NAT_FRAGMENTS'
  | 'EARLY_DEMUX'
  | 'NO_ENDPOINTS'
  | 'NO_LOCAL_ENDPOINTS'
  | 'SERVICE_SOURCE_RANGES'
  | 'ANSWER_FROM_ELSEWHERE'
  | 'CONNTRACK_INVALID'
  | 'PUBLIC_ACCESS_CIDRS'
  | 'NLB_NO_LISTENER'
  | 'NLB_NO_TARGETS'
  | 'NLB_HAIRPIN'
  | 'PACKET_TOO_BIG';

/** Where the stage that lost the request does not know better. */
export const REMEDY: Readonly<Partial<Record<Code, string>>> = {
  NOT_LISTENING: 'let it listen: a containerPort of the pod, or "ports" of the instance or host',
  SERVER_FAILS: "take the pod's annotation hoplab.io/fails away",
  NO_DNS: 'set enableDnsSupport: true on the VPC',
  NO_ROUTE_TO_DESTINATION: 'give the route table a route whose destination holds the address',
  ROUTE_BLACKHOLE: 'point the route at a target that exists',
  ROUTING_LOOP: 'point the route past the thing that it comes from',
  TTL_EXCEEDED: 'point one of the routes of the circle elsewhere',
  ADDRESS_NOT_ASSIGNED: 'ask for an address that an ENI has: npx hoplab inspect lists them',
  SOURCE_DEST_CHECK: 'set sourceDestCheck: false on what forwards for others',
  IGW_NO_PUBLIC_ADDRESS: 'give the sender an elasticIp, or send by a NAT gateway',
  PRIVATE_DESTINATION: 'reach it by a public address, or from inside its VPC',
  NAT_INBOUND: 'nothing does: a NAT gateway is for connections that begin inside',
  NAT_NO_CONNECTION: 'send request and answer by the same way',
  NAT_FRAGMENTS: 'send packets that need no cutting, or UDP',
  EARLY_DEMUX: 'set cluster.cni.DISABLE_TCP_EARLY_DEMUX: true; it helps TCP alone',
  NO_ENDPOINTS:
    "let the Service find a pod that is ready: its selector, the pods' labels, hoplab.io/ready, a named targetPort",
  NO_LOCAL_ENDPOINTS: 'ask a node that has an endpoint, or set the policy to Cluster',
  SERVICE_SOURCE_RANGES: 'add the sender to spec.loadBalancerSourceRanges',
  ANSWER_FROM_ELSEWHERE: 'send request and answer by the same node',
  CONNTRACK_INVALID:
    'nothing does: what is opened passes, a refusal that passes its node twice does not',
  PUBLIC_ACCESS_CIDRS: 'add the sender to cluster.publicAccessCidrs',
  NLB_NO_LISTENER: "ask at a port of the Service's: npx hoplab inspect lists the listeners",
  NLB_NO_TARGETS:
    'ask in a zone with targets, or switch cross-zone on: load_balancing.cross_zone.enabled=true',
  NLB_HAIRPIN:
    "ask the Service's own address, or have the load balancer be the source: preserve_client_ip.enabled=false",
  PACKET_TOO_BIG: 'send smaller packets, or let them be cut',
};
