/**
 * What an Application Load Balancer does with a request beside forwarding it to one Service, and which requests a rule is
 * for beside their host and path: the JSON in the annotations `actions.NAME` and `conditions.NAME`.
 */

import type { Cidr } from '../base/ip.ts';

export type AlbAction =
  | {
      readonly type: 'fixed-response';
      readonly statusCode: number;
      readonly contentType: string;
      readonly messageBody: string;
    }
  | {
      readonly type: 'redirect';
      readonly statusCode: 301 | 302;
      /** As written, or `#{protocol}`, `#{host}`, `#{port}`, `/#{path}`, `#{query}`: those of the request. */
      readonly protocol: string;
      readonly host: string;
      readonly port: string;
      readonly path: string;
      readonly query: string;
    }
  | {
      readonly type: 'forward';
      readonly targetGroups: readonly AlbForwardTarget[];
      /** How long a client stays with its target group; undefined where it need not. */
      readonly stickinessSeconds: number | undefined;
    };

interface AlbForwardTarget {
  readonly service: string;
  /** A number, or a name that the Service gives to its port. */
  readonly port: number | string;
  /** 0 to 999. */
  readonly weight: number;
}

/** One of the values is enough. In hosts, paths, headers and queries `*` stands for any text, `?` for any character. */
export type AlbCondition =
  | { readonly field: 'host-header' | 'path-pattern'; readonly values: readonly string[] }
  | { readonly field: 'http-header'; readonly header: string; readonly values: readonly string[] }
  | { readonly field: 'http-request-method'; readonly values: readonly string[] }
  | {
      readonly field: 'query-string';
      /** Without a key, a value alone. */
      readonly values: readonly { readonly key: string | undefined; readonly value: string }[];
    }
  | { readonly field: 'source-ip'; readonly values: readonly Cidr[] };
