/** Reads the kernel back inside a sandbox, with both cores; what is asked for is pure (`kernel/read-script.ts`). */

import { parseSections } from '../kernel/parse-sections.ts';
import { readBack } from '../kernel/read-back.ts';
import { renderReadScript } from '../kernel/read-script.ts';
import type { KernelState } from '../kernel/state.ts';
import { run } from './exec.ts';
import { KernelError } from './kernel-error.ts';
import { enter, type Sandbox } from './sandbox.ts';

const READERS = 2;

/** `planned` says what to look for where the kernel holds no list: files, sysctls, servers. */
export async function readKernel(sandbox: Sandbox, planned: KernelState): Promise<KernelState> {
  const results = await Promise.all(
    Array.from({ length: READERS }, (_, index) =>
      run(enter(sandbox, ['sh', '-s']), {
        input: renderReadScript(planned, { index, of: READERS }),
      }),
    ),
  );
  const texts = parseSections(results.map(({ stdout }) => stdout));
  if (texts === undefined) {
    const stderr = results.map((result) => result.stderr).join('');
    throw new KernelError({ command: 'reading', line: undefined, because: undefined, stderr });
  }
  return readBack(texts, planned);
}
