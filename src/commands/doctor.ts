import type { Terminal } from './terminal.ts';

export function doctor(_terminal: Terminal): number {
  throw new Error('not built yet');
}
