/** `inspect [thing]`: what is in the lab that is up, or what one thing of it is. */

import type { LoadBalancer } from '../aws/application-load-balancer.ts';
import { findGates, gatesOf, isOfInterest } from '../aws/gate.ts';
import { zoneReference } from '../aws/hosted-zone.ts';
import type { NetworkLoadBalancer } from '../aws/network-load-balancer.ts';
import { InputError, suggest } from '../base/diagnostic.ts';
import { type Cloud, findPolicy, findService, findThing } from '../cloud.ts';
import { loadUp } from '../pipeline.ts';
import type { Sandbox } from '../host/sandbox.ts';
import {
  describeBalancer,
  describeNetworkBalancer,
  findBalancer,
  findNetworkBalancer,
  type TargetReport,
  targetSection,
} from '../report/balancer.ts';
import { describeGate } from '../report/gate.ts';
import { describeZone, findZone } from '../report/hosted-zone.ts';
import { labAsJson, renderLab } from '../report/inspect.ts';
import { describePolicy } from '../report/network-policy.ts';
import { describeService } from '../report/service.ts';
import { describeThing, renderThing, type ThingDescription, thingAsJson } from '../report/thing.ts';
import { chooseLab } from './lab-choice.ts';
import { askForNlbTargets, askForTargets } from './target-health.ts';
import type { Terminal } from './terminal.ts';

export async function inspect(
  { thing: word, lab: option }: { thing: string | undefined; lab: string | undefined },
  terminal: Terminal,
): Promise<number> {
  const { name, record, sandbox } = await chooseLab(option, terminal);
  const { cloud } = loadUp(name, record);
  if (word === undefined) {
    if (terminal.json) terminal.printJson(labAsJson(cloud));
    else terminal.print(renderLab(cloud, terminal.style));
    return 0;
  }
  const description = await withTargets(cloud, word, sandbox);
  if (terminal.json) terminal.printJson(thingAsJson(description));
  else terminal.print(renderThing(description, terminal.style));
  return 0;
}

/** Of a load balancer, or one of its nodes, also how its targets are now. */
async function withTargets(
  cloud: Cloud,
  word: string,
  sandbox: Sandbox,
): Promise<ThingDescription> {
  const thing = findThing(cloud, word);
  const ofNetwork = (
    nodes: NetworkLoadBalancer['nodes'],
    one: NetworkLoadBalancer,
  ): Promise<TargetReport[]> => askForNlbTargets(cloud, one, nodes, sandbox);
  if (thing === undefined) {
    const balancer = findBalancer(cloud, word);
    if (balancer !== undefined) {
      const reports = await askForTargets(cloud, balancer, balancer.nodes, sandbox);
      return describeBalancer(balancer, cloud.hostedZones, reports);
    }
    const network = findNetworkBalancer(cloud, word);
    if (network !== undefined) {
      const reports = await ofNetwork(network.nodes, network);
      return describeNetworkBalancer(network, cloud.hostedZones, reports);
    }
  }
  const description = describe(cloud, word);
  const nodesOf = (one: LoadBalancer | NetworkLoadBalancer): LoadBalancer['nodes'] =>
    one.nodes.filter(({ netns }) => netns === thing?.netns);
  for (const one of cloud.loadBalancers) {
    const nodes = nodesOf(one);
    if (nodes.length === 0) continue;
    const reports = await askForTargets(cloud, one, nodes, sandbox);
    return { ...description, sections: [targetSection(reports)] };
  }
  for (const one of cloud.networkLoadBalancers) {
    const nodes = nodesOf(one);
    if (nodes.length === 0) continue;
    return { ...description, sections: [targetSection(await ofNetwork(nodes, one))] };
  }
  return description;
}

/** A thing, a Service, a hosted zone, a network policy, a security group or a network ACL; throws an InputError for what is none, or more than one. */
export function describe(cloud: Cloud, word: string): ThingDescription {
  const thing = findThing(cloud, word);
  if (thing !== undefined) return describeThing(cloud, thing);
  const service = findService(cloud, word);
  if (service !== undefined) return describeService(cloud, service);
  const zone = findZone(cloud, word);
  if (zone !== undefined) return describeZone(cloud, zone);
  const policy = findPolicy(cloud, word);
  if (policy !== undefined) return describePolicy(policy);
  const [gate, ...others] = findGates(cloud.vpcs.values(), word);
  if (gate === undefined) {
    const gates = gatesOf(cloud.vpcs.values()).filter(isOfInterest);
    const services = (cloud.cluster?.services ?? []).map(({ reference }) => reference);
    const zones = cloud.hostedZones.map(zoneReference);
    const balancers = [
      ...cloud.loadBalancers.map(({ name }) => `alb/${name}`),
      ...cloud.networkLoadBalancers.map(({ name }) => `nlb/${name}`),
    ];
    const policies = (cloud.cluster?.networkPolicies ?? []).map(({ spec }) => spec.reference);
    const known = [
      ...cloud.things.keys(),
      ...balancers,
      ...services,
      ...zones,
      ...policies,
      ...gates.map(({ reference }) => reference),
    ];
    throw InputError.of({
      code: 'no-such-thing',
      what: `there is no "${word}" in ${cloud.name}`,
      hint: suggest(word, known) ?? 'npx hoplab inspect lists what there is',
    });
  }
  if (others.length > 0) {
    const all = [gate, ...others];
    throw InputError.of({
      code: 'several-of-that-name',
      what: `"${word}" is in ${all.map(({ vpc }) => `vpc/${vpc.name}`).join(' and ')}`,
      hint: `say which: ${all.map(({ reference }) => reference).join(' or ')}`,
    });
  }
  return describeGate(cloud, gate);
}
