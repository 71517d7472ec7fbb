/**
 * Which annotations there are for the AWS Load Balancer Controller: those that Hoplab heeds, those that it knows and does
 * nothing for, and the rest, which is misspelt.
 *
 * @see aws-load-balancer-controller pkg/annotations/constants.go
 */

import type { Diagnostics } from '../base/diagnostic.ts';
import { TARGET_WORDS } from './alb-target.ts';
import { ALB_PREFIX, type AlbAnnotations, didYouMean } from './alb-value.ts';

const INGRESS_WORDS: readonly string[] = [
  ...['scheme', 'load-balancer-name', 'group.name', 'group.order', 'ip-address-type', 'subnets'],
  ...['security-groups', 'manage-backend-security-group-rules', 'inbound-cidrs', 'listen-ports'],
  ...['certificate-arn', 'ssl-redirect', 'load-balancer-attributes'],
];

/** Tags move no packet. */
const QUIET_WORDS: readonly string[] = ['tags', 'frontend-nlb-tags'];

/** What Hoplab does without, and the annotations that would be about it; `*` at the end stands for any text. */
const NO_EFFECT: readonly (readonly [what: string, words: readonly string[]])[] = [
  [
    'no firewall looks into requests',
    ['wafv2-acl-arn', 'wafv2-acl-name', 'waf-acl-id', 'web-acl-id', 'shield-advanced-protection'],
  ],
  [
    'nobody has to say who he is',
    [
      ...['auth-type', 'auth-idp-cognito', 'auth-idp-oidc', 'auth-on-unauthenticated-request'],
      ...['auth-scope', 'auth-session-cookie', 'auth-session-timeout', 'jwt-validation'],
      'mutual-authentication',
    ],
  ],
  ['public addresses are of no pool', ['customer-owned-ipv4-pool', 'ipam-ipv4-pool-id']],
  ['load balancers have the capacity they need', ['minimum-load-balancer-capacity']],
  ['TLS is what OpenSSL does by itself', ['ssl-policy']],
  ['no certificate is asked for', ['create-acm-cert', 'acm-pca-arn']],
  ['the security group lets in CIDR blocks alone', ['security-group-prefix-lists']],
  ['listeners have no attributes', ['listener-attributes.*']],
  ['targets are spoken to in HTTP/1.1', ['backend-protocol-version']],
  ['all nodes are targets', ['target-node-labels']],
  ['there is one cluster', ['multi-cluster-target-group']],
  ['targets do not say how much they can take', ['target-control-port.*']],
  ['requests reach their target as they came', ['transforms.*']],
  ['there are no regular expressions in paths', ['use-regex-path-match']],
  ['everything is built at once', ['dry-run-plan']],
  ['there is no network load balancer in front', ['enable-frontend-nlb', 'frontend-nlb-*']],
];

/** Reports `unknown-alb-annotation` and `alb-without-effect`. */
export function checkWords(
  annotations: AlbAnnotations,
  kind: 'Ingress' | 'Service',
  diagnostics: Diagnostics,
): void {
  for (const word of annotations.words) {
    const missing = NO_EFFECT.find(([, words]) => words.some((one) => isLike(word, one)))?.[0];
    if (missing !== undefined) {
      if (annotations.text(word) !== 'HTTP1') {
        annotations.withoutEffect(word, `this has no effect in Hoplab: ${missing}`);
      }
      continue;
    }
    if (TARGET_WORDS.includes(word) || QUIET_WORDS.includes(word)) continue;
    if (INGRESS_WORDS.includes(word) || /^(?:actions|conditions)\../.test(word)) {
      if (kind === 'Service') {
        annotations.withoutEffect(
          word,
          'the controller does not read this on a Service',
          'put it on the Ingress',
        );
      }
      continue;
    }
    const known = [
      ...[...INGRESS_WORDS, ...TARGET_WORDS, ...QUIET_WORDS],
      ...NO_EFFECT.flatMap(([, words]) => words.filter((one) => !one.endsWith('*'))),
    ];
    const near = didYouMean(word, known);
    diagnostics.warning(
      'unknown-alb-annotation',
      annotations.keyAt(word),
      `the AWS Load Balancer Controller knows no annotation "${ALB_PREFIX}${word}": it reads it as if it were not there`,
      near ??
        (/^(?:action|condition)s?\b/.test(word)
          ? 'write it like actions.NAME or conditions.NAME'
          : undefined),
    );
  }
}

function isLike(word: string, pattern: string): boolean {
  return pattern.endsWith('*') ? word.startsWith(pattern.slice(0, -1)) : word === pattern;
}
