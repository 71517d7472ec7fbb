/**
 * Names that the kernel gives a length to, and ids in AWS's shape.
 *
 * @see iproute2 and linux/if.h IFNAMSIZ: an interface name has at most 15 bytes.
 * @see amazon-vpc-cni-k8s@b5218838 pkg/networkutils/names.go: how the CNI names a pod's host veth.
 */

import { sha1Hex, sha256Hex } from './hash.ts';

export type NetnsName = string & { readonly __brand: 'NetnsName' };

const MAX_LINK_NAME = 15;

export function netnsName(name: string): NetnsName {
  return name as NetnsName;
}

/** The name itself where it fits; else its beginning and six digits of its hash. */
export function linkName(name: string): string {
  const clean = name.replaceAll(/[^A-Za-z0-9_.-]/g, '-');
  if (clean.length <= MAX_LINK_NAME && clean === name) return clean;
  return `${clean.slice(0, MAX_LINK_NAME - 7)}-${sha256Hex(name).slice(0, 6)}`;
}

/** `eni` and the first 11 hex digits of SHA-1 of `namespace.pod`, as the VPC CNI names it. */
export function hostVethName(prefix: string, namespace: string, pod: string): string {
  return prefix + sha1Hex(`${namespace}.${pod}`).slice(0, 11);
}

/** An id as EC2 writes it: the prefix and 17 hex digits, here derived from the name. */
export function awsId(prefix: string, name: string): string {
  return `${prefix}-0${sha256Hex(`${prefix}/${name}`).slice(0, 16)}`;
}

/** A locally administered unicast MAC derived from a name; EC2's begin with 02, 06, 0a or 0e, ours with 0a. */
export function macAddress(name: string): string {
  return macWithFirstByte('0a', name);
}

/** A pod's MACs: locally administered like the random ones of the CNI, told apart from an ENI's by the first byte. */
export function podMacAddress(name: string): string {
  return macWithFirstByte('ee', name);
}

function macWithFirstByte(first: string, name: string): string {
  const digits = sha256Hex(`mac/${name}`);
  const bytes = [first];
  for (let i = 0; i < 10; i += 2) bytes.push(digits.slice(i, i + 2));
  return bytes.join(':');
}
