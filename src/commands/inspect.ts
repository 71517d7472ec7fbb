/** `inspect [thing]`: what is in the lab that is up, or what one thing of it is. */

import { findGates, gatesOf, isOfInterest } from '../aws/gate.ts';
import { InputError, suggest } from '../base/diagnostic.ts';
import { type Cloud, findPolicy, findService, findThing } from '../cloud.ts';
import { loadUp } from '../pipeline.ts';
import { describeGate } from '../report/gate.ts';
import { labAsJson, renderLab } from '../report/inspect.ts';
import { describePolicy } from '../report/network-policy.ts';
import { describeService } from '../report/service.ts';
import { describeThing, renderThing, type ThingDescription, thingAsJson } from '../report/thing.ts';
import { chooseLab } from './lab-choice.ts';
import type { Terminal } from './terminal.ts';

export async function inspect(
  { thing: word, lab: option }: { thing: string | undefined; lab: string | undefined },
  terminal: Terminal,
): Promise<number> {
  const { name, record } = await chooseLab(option, terminal);
  const { cloud } = loadUp(name, record);
  if (word === undefined) {
    if (terminal.json) terminal.printJson(labAsJson(cloud));
    else terminal.print(renderLab(cloud, terminal.style));
    return 0;
  }
  const description = describe(cloud, word);
  if (terminal.json) terminal.printJson(thingAsJson(description));
  else terminal.print(renderThing(description, terminal.style));
  return 0;
}

/** A thing, a Service, a network policy, a security group or a network ACL; throws an InputError for what is none, or more than one. */
export function describe(cloud: Cloud, word: string): ThingDescription {
  const thing = findThing(cloud, word);
  if (thing !== undefined) return describeThing(cloud, thing);
  const service = findService(cloud, word);
  if (service !== undefined) return describeService(cloud, service);
  const policy = findPolicy(cloud, word);
  if (policy !== undefined) return describePolicy(policy);
  const [gate, ...others] = findGates(cloud.vpcs.values(), word);
  if (gate === undefined) {
    const gates = gatesOf(cloud.vpcs.values()).filter(isOfInterest);
    const services = (cloud.cluster?.services ?? []).map(({ reference }) => reference);
    const policies = (cloud.cluster?.networkPolicies ?? []).map(({ spec }) => spec.reference);
    const ofGates = gates.map(({ reference }) => reference);
    const known = [...cloud.things.keys(), ...services, ...policies, ...ofGates];
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
