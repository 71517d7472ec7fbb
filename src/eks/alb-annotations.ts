/**
 * The annotations of an Ingress that the AWS Load Balancer Controller reads.
 */

import type { SourceRef } from '../base/diagnostic.ts';
import type { Cidr } from '../base/ip.ts';
import type { AlbAction, AlbCondition } from './alb-action.ts';
import type { WrittenTarget } from './alb-target.ts';

export interface AlbSettings {
  readonly scheme: 'internal' | 'internet-facing';
  readonly loadBalancerName: string | undefined;
  /** Ingresses of one group share a load balancer; undefined where the Ingress has its own. */
  readonly groupName: string | undefined;
  /** The rules of lower ones come first; then by namespace and name. */
  readonly groupOrder: number;
  /** Names or ids; undefined where the controller looks for them. */
  readonly subnets: readonly string[] | undefined;
  /** Names or ids; undefined where the controller makes one. */
  readonly securityGroups: readonly string[] | undefined;
  /** Only heeded with securityGroups: whether the controller opens the nodes' or pods' groups to the load balancer. */
  readonly managesBackendRules: boolean;
  /** Whom the controller's own security group lets in at the listeners. */
  readonly inboundCidrs: readonly Cidr[];
  readonly listeners: readonly AlbListenPort[];
  readonly certificates: readonly string[];
  /** The HTTPS port that every HTTP listener redirects to. */
  readonly sslRedirect: number | undefined;
  readonly idleTimeoutSeconds: number;
  /** load-balancer-attributes as they are written, the idle timeout too. */
  readonly attributes: Readonly<Record<string, string>>;
  /** For `targetSettings`, with what the Service says. */
  readonly target: WrittenTarget;
  /** By the name that a backend has for a Service where its port is `use-annotation`. */
  readonly actions: ReadonlyMap<string, AlbAction>;
  /** By the name of a backend's Service or action. */
  readonly conditions: ReadonlyMap<string, readonly AlbCondition[]>;
  /** Where the value of `alb.ingress.kubernetes.io/NAME` stands; undefined where it is the default. */
  at(name: string): SourceRef | undefined;
}

export interface AlbListenPort {
  readonly protocol: 'HTTP' | 'HTTPS';
  readonly port: number;
}

/** A backend's port of this name: its Service is the name of an action. */
export const USE_ANNOTATION = 'use-annotation';
