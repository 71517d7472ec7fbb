/**
 * What answers on a node itself, whatever runs on it: the kubelet, which the control plane asks for logs and exec, and
 * kube-proxy's health check, by which load balancers know that the node forwards.
 *
 * @fidelity same - ports, TLS of the cluster's CA, an answer to who says not who he is; simplified - nothing behind it
 * @see https://docs.aws.amazon.com/eks/latest/userguide/sec-group-reqs.html: "Minimum inbound traffic ... TCP 10250"
 * @see kubernetes v1.31 pkg/proxy/healthcheck/proxier_health.go (10256)
 */

import type { Because } from '../base/because.ts';
import type { NetnsName } from '../base/names.ts';
import { Fragment } from '../kernel/fragment.ts';
import type { Certificate } from '../kernel/state.ts';
import { CERTIFICATE_AUTHORITY } from './control-plane.ts';
import type { Node } from './node.ts';

export const KUBELET_PORT = 10_250;
export const KUBE_PROXY_HEALTH_PORT = 10_256;

const CERTIFICATE = '/run/hoplab/pki/kubelet.pem';

/** One for all nodes: the kubelets of a lab are one server. */
function kubeletCertificate(nodes: readonly Node[]): Certificate {
  const names = nodes.flatMap(({ name, interfaces: [eni] }) => [
    `DNS:${name}`,
    `IP:${eni.addresses[0].address}`,
  ]);
  return { kind: 'certificate', path: CERTIFICATE, authority: CERTIFICATE_AUTHORITY, names };
}

export function planNodeServices(
  netns: NetnsName,
  nodes: readonly Node[],
  hasKubeProxy: boolean,
  why: Because,
): Fragment {
  const served = {
    kind: 'served-port',
    netns,
    protocol: 'tcp',
    http: true,
    identity: {},
    behaviour: {},
  } as const;
  const fragment = new Fragment().add(why, kubeletCertificate(nodes), {
    ...served,
    port: KUBELET_PORT,
    tls: CERTIFICATE,
    pages: [
      { path: '/healthz', status: 200, contentType: 'text/plain; charset=utf-8', body: 'ok' },
      { status: 401, contentType: 'text/plain; charset=utf-8', body: 'Unauthorized' },
    ],
  });
  if (!hasKubeProxy) return fragment;
  return fragment.add(why, {
    ...served,
    port: KUBE_PROXY_HEALTH_PORT,
    pages: [
      {
        path: '/healthz',
        status: 200,
        contentType: 'application/json',
        body: JSON.stringify({ nodeEligible: true }),
      },
      { status: 404, contentType: 'text/plain; charset=utf-8', body: '404 page not found' },
    ],
  });
}
