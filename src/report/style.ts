/** Colours of a report: on a terminal they guide the eye, in a pipe they are not there. */

import picocolors from 'picocolors';

type Paint = (text: string) => string;

export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
  readonly blue: Paint;
  readonly magenta: Paint;
}

export const PLAIN: Style = picocolors.createColors(false);
export const COLOURED: Style = picocolors.createColors(true);

/** `1 pod`, `3 pods`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
