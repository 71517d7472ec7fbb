/** What a link is, in the lab's words, and what an address is: for whoever looks at a capture. */

import { internetLink, UPLINK } from '../aws/internet-gateway.ts';
import { portName } from '../aws/network-interface.ts';
import type { Ipv4 } from '../base/ip.ts';
import type { NetnsName } from '../base/names.ts';
import { renderReference } from '../base/reference.ts';
import type { Cloud } from '../cloud.ts';
import { hostLink, INTERNET_NETNS } from '../internet/host.ts';
import { podReference } from '../k8s/pod.ts';
import { linkKey } from '../kernel/state.ts';
import type { NamedAddress } from '../observe/pcapng.ts';

/** By the link's key. A link that stands for nothing of the lab (a loopback) has no words. */
export function describeLinks(cloud: Cloud): Map<string, string> {
  const words = new Map<string, string>();
  const say = (netns: NetnsName, link: string, text: string): void => {
    words.set(linkKey(netns, link), text);
  };
  for (const vpc of cloud.vpcs.values()) {
    const place = renderReference('vpc', vpc.name);
    for (const subnet of vpc.subnets.values()) {
      say(vpc.netns, subnet.bridge, `${place}, subnet ${subnet.name} ${subnet.cidr}`);
    }
    for (const eni of vpc.interfaces) {
      const { address, elastic } = eni.addresses[0];
      const card = `${eni.thing} ${eni.link} ${address}`;
      say(eni.netns, eni.link, elastic === undefined ? card : `${card} (${elastic})`);
      say(vpc.netns, portName(eni), `${place}, port of ${card}`);
    }
    const igw = vpc.internetGateway;
    if (igw === undefined) continue;
    const gateway = renderReference('igw', igw.name);
    say(vpc.netns, UPLINK, `${place}, to ${gateway}`);
    say(igw.netns, 'vpc', `${gateway}, to ${place}`);
    say(igw.netns, 'internet', `${gateway}, to the internet`);
    say(INTERNET_NETNS, internetLink(igw), `internet, to ${gateway}`);
  }
  for (const pod of cloud.pods) {
    const node = cloud.cluster?.nodes.get(pod.node);
    if (node === undefined || pod.hostVeth === undefined) continue;
    const reference = podReference(pod.spec.namespace, pod.spec.name);
    say(pod.netns, 'eth0', `${reference} eth0 ${pod.address}`);
    say(node.netns, pod.hostVeth, `node/${node.name}, to ${reference} ${pod.address}`);
  }
  for (const host of cloud.internetHosts) {
    const reference = renderReference('internet', host.name);
    say(host.netns, 'eth0', `${reference} eth0 ${host.address}`);
    say(INTERNET_NETNS, hostLink(host), `internet, to ${reference}`);
  }
  return words;
}

/** Every address of the lab with the thing that has it, each once. A hostNetwork pod's is its node's. */
export function nameAddresses(cloud: Cloud): NamedAddress[] {
  const names = new Map<Ipv4, string>();
  const say = (address: Ipv4 | undefined, name: string): void => {
    if (address !== undefined && !names.has(address)) names.set(address, name);
  };
  for (const thing of cloud.things.values()) say(thing.address, thing.reference);
  for (const vpc of cloud.vpcs.values()) {
    for (const eni of vpc.interfaces) {
      const { address, elastic } = eni.addresses[0];
      say(address, `${eni.thing}:${eni.link}`);
      say(elastic, `${eni.thing}:elastic`);
    }
  }
  return Array.from(names, ([address, name]) => ({ address, name }));
}
