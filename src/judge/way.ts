/** From stage to stage, until the packet has arrived or is lost. */

import { crossInternet, goOut } from './beyond.ts';
import { passGates } from './gates.ts';
import { leave } from './leave.ts';
import { receive } from './receive.ts';
import { deliver, route } from './router.ts';
import {
  type Arrived,
  lost,
  type Lost,
  type Place,
  type Rejected,
  type Stage,
  type Traveller,
} from './traveller.ts';

/** What every thing here begins with, and most of the world: Linux's default. */
export const FIRST_TTL = 64;

export function travel(traveller: Traveller, from: Place): Arrived | Rejected | Lost {
  let stage: Stage = { at: 'sent', by: from };
  while (stage.at !== 'arrived' && stage.at !== 'rejected' && stage.at !== 'lost') {
    // No sensible way is so long: this goes in a circle. Who took the last one off keeps the packet.
    if (traveller.hops >= FIRST_TTL) {
      const { destination } = traveller.packet;
      const what = `the routes lead a packet to ${destination} in a circle`;
      return lost('TTL_EXCEEDED', what, traveller.route);
    }
    stage = next(traveller, stage);
  }
  return stage;
}

function next(traveller: Traveller, stage: Exclude<Stage, Arrived | Rejected | Lost>): Stage {
  switch (stage.at) {
    case 'sent':
      return leave(traveller, stage.by);
    case 'router':
      return route(traveller, stage.eni);
    case 'local':
      return deliver(traveller, stage.vpc, stage.from);
    case 'eni':
      return (
        passGates(traveller, stage.vpc, stage.from, stage.eni) ?? receive(traveller, stage.eni)
      );
    case 'outwards':
      return (
        passGates(traveller, stage.vpc, stage.from, undefined) ??
        goOut(traveller, stage.vpc, stage.gateway)
      );
    case 'internet':
      return crossInternet(traveller);
  }
}
