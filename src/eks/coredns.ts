/**
 * The CoreDNS add-on as EKS installs it: a Deployment of two pods in kube-system, and Service kube-dns, whose address is the
 * tenth of the service CIDR.
 *
 * @fidelity same - names, labels, replicas, address, dnsPolicy Default; simplified - without the metrics port
 * @see https://docs.aws.amazon.com/eks/latest/userguide/managing-coredns.html
 * @see amazon-eks-ami files/bootstrap.sh: the tenth address is what the kubelet tells pods to ask
 */

import { type Cidr, nth } from '../base/ip.ts';
import { DNS_PORT } from '../kernel/name-server.ts';
import type { PodSpec } from '../k8s/pod.ts';
import type { ServiceSpec } from '../k8s/service.ts';
import type { WorkloadSpec } from '../k8s/workload.ts';
import type { Where } from '../source/yaml.ts';
import { clusterService } from './control-plane.ts';

const KUBE_SYSTEM = 'kube-system';
const LABELS = { 'k8s-app': 'kube-dns', 'eks.amazonaws.com/component': 'coredns' };
const DNS_ADDRESS = 10;
const REPLICAS = 2;

/** Of the add-on, or of whoever replaces it. */
export function isSystemPod(pod: Pick<PodSpec, 'namespace' | 'runsCoreDns'>): boolean {
  return pod.runsCoreDns && pod.namespace === KUBE_SYSTEM;
}

const KUBE_DNS = 'kube-dns';

/** The Service that every cluster's pods ask for names. */
export function isKubeDns({ namespace, name }: Pick<ServiceSpec, 'namespace' | 'name'>): boolean {
  return namespace === KUBE_SYSTEM && name === KUBE_DNS;
}

export function corednsDeployment(where: Where): WorkloadSpec {
  const at = where.keyAt();
  const port = (name: string, protocol: 'tcp' | 'udp') =>
    ({ name, containerPort: DNS_PORT, protocol, http: false, at }) as const;
  return {
    kind: 'Deployment',
    namespace: KUBE_SYSTEM,
    name: 'coredns',
    replicas: REPLICAS,
    first: 1,
    serviceName: undefined,
    selector: { matchLabels: LABELS },
    template: {
      labels: LABELS,
      annotations: {},
      nodeName: undefined,
      nodeSelector: {},
      hostNetwork: false,
      ports: [port('dns', 'udp'), port('dns-tcp', 'tcp')],
      behaviour: {},
      ready: true,
      terminating: false,
      hostname: undefined,
      subdomain: undefined,
      // It asks whom its node asks.
      dnsPolicy: 'Default',
      dnsConfig: { nameservers: [], searches: [], options: [] },
      runsCoreDns: true,
    },
    at,
  };
}

export function kubeDnsService(serviceCidr: Cidr, where: Where): ServiceSpec {
  const port = (name: string, protocol: 'tcp' | 'udp') =>
    ({ name, protocol, port: DNS_PORT, targetPort: DNS_PORT, nodePort: undefined, where }) as const;
  return clusterService(
    KUBE_SYSTEM,
    KUBE_DNS,
    nth(serviceCidr, DNS_ADDRESS),
    where,
    [port('dns', 'udp'), port('dns-tcp', 'tcp')],
    { 'k8s-app': 'kube-dns' },
  );
}
