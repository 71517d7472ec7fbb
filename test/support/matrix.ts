/** What a matrix found, for a test to compare with. */

import type { MatrixCell } from '../../src/probe/matrix.ts';

/** `instance/a > instance/b, tcp 80: allowed, seen timeout` of each cell that differs. */
export function differences(cells: readonly MatrixCell[]): string[] {
  return cells
    .filter(({ agrees }) => !agrees)
    .map(({ from, to, protocol, port, predicted, observed }) => {
      const what = protocol === 'icmp' ? 'ping' : `${protocol} ${port}`;
      return `${from.reference} > ${to.reference}, ${what}: ${predicted.verdict}, seen ${observed.verdict}`;
    });
}
