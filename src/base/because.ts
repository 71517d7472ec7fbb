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
}

export function because(concept: string, thing: string, at?: SourceRef): Because {
  return { concept, thing, at };
}

export function renderBecause({ concept, thing, at }: Because): string {
  return `${concept} ${thing}${at === undefined ? '' : ` (${renderSourceRef(at)})`}`;
}
