/** How the log of denied packets is asked for: complete, from inside a sandbox. */

import { DROP_LOG_FLUSH } from '../aws/drop-log.ts';

/** Far longer than it takes; who never answers does not run. */
const PATIENCE_TRIES = 400;

/**
 * Shell that waits until all is in the log that was denied before; it fails when nobody writes the log. The pipe is opened
 * for reading too, or opening it would wait for a process that may be dead.
 */
export function renderFlush(): string {
  const steps = [
    'flushed=$(mktemp -u /run/hoplab/flushed.XXXXXX)',
    `echo "$flushed" 1<>${DROP_LOG_FLUSH}`,
    'tries=0',
    `until [ -e "$flushed" ] || [ $tries -gt ${PATIENCE_TRIES} ]; do sleep 0.005; tries=$((tries + 1)); done`,
    'rm "$flushed" 2>/dev/null',
  ];
  return `[ -p ${DROP_LOG_FLUSH} ] && { ${steps.join('; ')}; }`;
}
