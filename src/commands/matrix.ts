/** `matrix`: everybody asks everybody, for real; exit code 1 where something is not as the model predicts. */

import { InputError, suggest } from '../base/diagnostic.ts';
import { type Cloud, findService, findThing, type Thing } from '../cloud.ts';
import * as pipeline from '../pipeline.ts';
import {
  matrixToJson,
  renderMatrix,
  renderMatrixDifferences,
  renderMatrixSummary,
  renderRequests,
} from '../report/matrix.ts';
import { chooseLab } from './lab-choice.ts';
import type { Terminal } from './terminal.ts';

export async function matrix(
  args: {
    from: string | undefined;
    to: string | undefined;
    port: number | undefined;
    all: boolean;
    lab: string | undefined;
  },
  terminal: Terminal,
): Promise<number> {
  const { name, sandbox, record } = await chooseLab(args.lab, terminal);
  const lab = pipeline.loadUp(name, record);
  const filter = {
    from: endpoint(lab.cloud, args.from),
    to: findService(lab.cloud, args.to ?? '') ?? endpoint(lab.cloud, args.to),
    port: checkPort(args.port),
  };
  const result = await pipeline.matrix(lab, sandbox, filter, terminal.progress);
  const differs = result.cells.some((cell) => !cell.agrees);
  if (terminal.json) {
    terminal.printJson({ lab: name, ...matrixToJson(result) });
    return differs ? 1 : 0;
  }
  const { style, columns } = terminal;
  const { cells } = result;
  if (cells.length > 0) {
    terminal.print(args.all ? renderRequests(cells, style) : renderMatrix(cells, style, columns));
  }
  if (differs) {
    terminal.print(`\n${renderMatrixDifferences(cells, style)}`);
    terminal.print('look: npx hoplab verify    # does the kernel stand as planned?');
  }
  terminal.print(`\n${renderMatrixSummary(result, style)}`);
  return differs ? 1 : 0;
}

function endpoint(cloud: Cloud, word: string | undefined): Thing | undefined {
  if (word === undefined) return undefined;
  const thing = findThing(cloud, word);
  if (thing?.isEndpoint === true) return thing;
  const endpoints = [...cloud.things.values()].filter((one) => one.isEndpoint);
  const names = endpoints.map(({ reference }) => reference);
  throw InputError.of({
    code: 'no-such-thing',
    what:
      thing === undefined
        ? `there is no "${word}" in ${cloud.name}`
        : `${thing.reference} asks nothing and answers nothing`,
    hint: suggest(word, names) ?? `these do: ${names.join(', ')}`,
  });
}

function checkPort(port: number | undefined): number | undefined {
  if (port === undefined || (Number.isInteger(port) && port >= 1 && port <= 65_535)) return port;
  throw InputError.of({
    code: 'not-a-port',
    what: `--port ${port} is no port`,
    hint: 'a port is a number from 1 to 65535',
  });
}
