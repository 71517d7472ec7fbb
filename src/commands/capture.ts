import type { Terminal } from './terminal.ts';

export function capture(_args: unknown, _terminal: Terminal): number {
  throw new Error('not built yet');
}
