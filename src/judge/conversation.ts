/** Where a ping from one thing to another passes, there and back, as far as the model says that it gets. */

import type { Ipv4 } from '../base/ip.ts';
import { renderReference } from '../base/reference.ts';
import type { Cloud, Thing } from '../cloud.ts';
import { crossings, type Crossing, type Way } from './crossings.ts';
import { judge, type Judgement } from './judge.ts';
import { reference } from './places.ts';

export interface Conversation {
  readonly judgement: Judgement;
  readonly crossings: readonly Crossing[];
}

export function conversation(cloud: Cloud, from: Thing, destination: Ipv4): Conversation {
  const judgement = judge(cloud, { protocol: 'icmp', from, destination, port: 0 });
  const { path, replyPath, answeredBy } = judgement;
  const there: Way = {
    things: path,
    isOpen: { atStart: false, atEnd: answeredBy === undefined },
  };
  const back: Way = {
    things: replyPath,
    isOpen: { atStart: false, atEnd: replyPath.at(-1) !== path[0] },
  };
  const ways = [there, back];
  if (answeredBy === undefined) ways.push(doorOf(cloud, destination));
  return { judgement, crossings: crossings(cloud, ways) };
}

/** Who has the address, with all that leads to it: that nothing comes there is worth seeing. */
function doorOf(cloud: Cloud, address: Ipv4): Way {
  const eni = [...cloud.vpcs.values()]
    .flatMap((vpc) => vpc.interfaces)
    .find((one) => one.addresses.some(({ elastic }) => elastic === address));
  const thing = [...cloud.things.values()].find((one) => one.address === address);
  const pod = cloud.pods.find((one) => reference(one) === thing?.reference);
  const node = pod?.eni === undefined ? [] : [renderReference('node', pod.node)];
  const last = thing?.reference ?? eni?.thing;
  return {
    things: last === undefined ? [] : [...node, last],
    isOpen: { atStart: true, atEnd: false },
  };
}
