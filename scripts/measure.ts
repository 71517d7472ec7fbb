/** What the benchmarks share. */

import { $, os } from 'zx';

/** A benchmark's own figures are all that it prints. */
export const silent = { step: (): void => undefined, note: (): void => undefined };

/** Figures of one machine alone can be compared. */
export async function machine(): Promise<string> {
  const kernel = (await $`uname -r`).stdout.trim();
  return `Linux ${kernel}, ${os.cpus().length} cores, Node ${process.version}`;
}

/** How busy it was, for whoever reads the figures. */
export function loadAverage(): string {
  return os.loadavg()[0]?.toFixed(1) ?? '';
}

/** Milliseconds in a column. */
export function pad(ms: number): string {
  return ms.toFixed(0).padStart(10);
}

/** A cluster of nodes in one subnet, and nothing else that costs. */
export function clusterOf(nodes: number, instanceType?: string): object {
  const node = { subnet: 'one', ...(instanceType === undefined ? {} : { instanceType }) };
  return {
    vpcs: {
      main: { cidr: '10.0.0.0/16', subnets: { one: { cidr: '10.0.0.0/20', az: 'az-1' } } },
    },
    cluster: {
      vpc: 'main',
      addons: { coredns: false },
      nodes: Object.fromEntries(
        Array.from({ length: nodes }, (_, index) => [`node-${index + 1}`, node]),
      ),
    },
  };
}

/** With the time that it took, in ms. */
export async function timed<Result>(work: () => Promise<Result>): Promise<[Result, number]> {
  const start = performance.now();
  const result = await work();
  return [result, performance.now() - start];
}
