import type { Terminal } from './terminal.ts';

export function verify(_args: unknown, _terminal: Terminal): number {
  throw new Error('not built yet');
}
