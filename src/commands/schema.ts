/** `schema`: the JSON Schema of lab.yaml, for editors and other programs. */

import { labSchema } from '../lab-schema.ts';
import type { Terminal } from './terminal.ts';

export function schema(terminal: Terminal): number {
  terminal.printJson(labSchema());
  return 0;
}
