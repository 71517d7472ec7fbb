import type { Terminal } from './terminal.ts';

export function schema(_terminal: Terminal): number {
  throw new Error('not built yet');
}
