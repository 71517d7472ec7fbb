/**
 * How an Application Load Balancer reaches the pods of a Service and how it tells that they are well: the annotations that
 * may stand on an Ingress, for all of its Services, and on a Service, where they win.
 */

export interface AlbTargetSettings {
  readonly targetType: 'instance' | 'ip';
  readonly protocol: 'HTTP' | 'HTTPS';
  readonly healthCheck: AlbHealthCheck;
  /** How long a client stays with its target by a cookie of the load balancer; undefined without stickiness. */
  readonly stickinessSeconds: number | undefined;
  readonly deregistrationDelaySeconds: number;
  readonly algorithm: 'round_robin' | 'least_outstanding_requests';
  /** 0 for none. */
  readonly slowStartSeconds: number;
}

interface AlbHealthCheck {
  readonly protocol: 'HTTP' | 'HTTPS';
  /** A number, or a name that the Service gives to a port; undefined for the port that gets the requests. */
  readonly port: number | string | undefined;
  readonly path: string;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  /** Inclusive. */
  readonly successCodes: readonly { readonly from: number; readonly to: number }[];
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
}

/** What is written on one object; what is undefined there may be written on the other. */
export interface WrittenTarget {
  readonly targetType: AlbTargetSettings['targetType'] | undefined;
  readonly protocol: AlbTargetSettings['protocol'] | undefined;
  readonly healthCheck: {
    readonly [Key in keyof AlbHealthCheck]: AlbHealthCheck[Key] | 'traffic-port' | undefined;
  };
}
