/** Runs ESLint over the project; fails, too, when it read no source: an empty run finds no mistake. */

import { ESLint } from 'eslint';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const eslint = new ESLint({ cwd: root });
const results = await eslint.lintFiles(['.']);
const formatter = await eslint.loadFormatter('stylish');
process.stdout.write(await formatter.format(results));

const sources = results.filter(({ filePath }) => filePath.startsWith(join(root, 'src/'))).length;
console.log(`linted ${results.length} files, ${sources} of them in src`);
const failed = results.some(({ errorCount, warningCount }) => errorCount + warningCount > 0);
process.exitCode = failed || sources === 0 ? 1 : 0;
