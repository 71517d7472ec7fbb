/**
 * Why a kernel object is there: the concept that planned it, the thing of the lab it stands for, and the line that
 * declared the thing. Carried by every planned object, so that a refused operation, a drift or a plan can name it.
 */

import { renderSourceRef, type SourceRef } from './diagnostic.ts';

export interface Because {
  /** The concept's file name: `nat-gateway`, `vpc-cni`. */
  readonly concept: string;
  /** The thing as the user names it: `nat/nat-1`, `pod/client`. */
  readonly thing: string;
  readonly at: SourceRef | undefined;
  /** What the object is in the lab's words, where the kernel's own would say little: `route 0.0.0.0/0 -> nat/nat-1`. */
  readonly as?: string;
}

export function because(concept: string, thing: string, at?: SourceRef, as?: string): Because {
  return { concept, thing, at, ...(as === undefined ? {} : { as }) };
}

/** The same cause, for an object that has a name of its own in the lab. */
export function as(why: Because, words: string): Because {
  return { ...why, as: words };
}

export function renderBecause({ concept, thing, at }: Because): string {
  return `${concept} ${thing}${at === undefined ? '' : ` (${renderSourceRef(at)})`}`;
}
