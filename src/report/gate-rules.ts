/** The rules of security groups and network ACLs in AWS's words, a row each. */

import type { AclGate, GroupGate } from '../aws/gate.ts';
import { type Direction, EVERYBODY, renderPermission } from '../aws/ip-permission.ts';
import type { NetworkInterface } from '../aws/network-interface.ts';
import { renderPeer } from '../aws/security-group.ts';
import { renderSourceRef, type SourceRef } from '../base/diagnostic.ts';
import type { Cloud } from '../cloud.ts';
import { podReference } from '../k8s/pod.ts';

const DIRECTIONS = ['ingress', 'egress'] as const;
const SIDE = { ingress: 'from', egress: 'to' } as const;

interface RuleRow {
  readonly direction: Direction;
  readonly what: string;
  /** Where it is written; empty for what is written nowhere. */
  readonly at: string;
}

export function groupRules({ is: group }: GroupGate): RuleRow[] {
  return DIRECTIONS.flatMap((direction): RuleRow[] => {
    // Groups only allow: without a rule the direction is shut, and that is worth a line.
    if (group[direction].length === 0) return [{ direction, what: 'nothing', at: '' }];
    return group[direction].map(({ permission, peer, at }) => ({
      direction,
      what: `${renderPermission(permission)} ${SIDE[direction]} ${renderPeer(peer)}`,
      at: place(group.isDeclared, at),
    }));
  });
}

interface NumberedRow extends RuleRow {
  readonly number: number | '*';
  readonly action: 'allow' | 'deny';
}

export function aclRules({ is: acl }: AclGate): NumberedRow[] {
  return DIRECTIONS.flatMap((direction): NumberedRow[] => {
    const rules = acl[direction].map(({ number, action, permission, peer, at }) => ({
      direction,
      number,
      action,
      what: `${renderPermission(permission)} ${SIDE[direction]} ${peer}`,
      at: place(acl.isDeclared, at),
    }));
    // The one that AWS makes lets everything through before its last rule is asked.
    if (!acl.isDeclared) return rules;
    const what = `all traffic ${SIDE[direction]} ${EVERYBODY}`;
    return [...rules, { direction, number: '*', action: 'deny', what, at: '' }];
  });
}

function place(isDeclared: boolean, at: SourceRef): string {
  return isDeclared ? renderSourceRef(at) : '';
}

/** How an ENI is called; one that a pod has for itself has the pod beside it. */
export function memberNames(cloud: Cloud): (eni: NetworkInterface) => string {
  const pods = new Map(
    cloud.pods.flatMap(({ spec, branch, eni }) =>
      branch === undefined || eni === undefined
        ? []
        : [[eni.interface.id, podReference(spec.namespace, spec.name)] as const],
    ),
  );
  return ({ id, thing, link }) => {
    const pod = pods.get(id);
    return pod === undefined ? `${thing}:${link}` : `${thing}:${link} (${pod})`;
  };
}
