/**
 * Puts src and the packages that it uses into one file of JavaScript, FILE, which starts in half the time: Node would look
 * for, read and link each of five hundred. Beside it lies its source map, by which a stack trace names the source.
 */

import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { build } from 'esbuild';

const [, , file] = process.argv;
// Who runs a file has read all of it, and a command that starts meanwhile finds the old or the new one whole.
const unfinished = `${file}.${process.pid}`;

/**
 * yargs measures the lines of its help by this package, which at every start asks ICU for a segmenter and builds regular
 * expressions of all emoji. What we write there takes one column a character.
 */
const narrow = {
  name: 'narrow',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^string-width$/ }, ({ path }) => ({ path, namespace: 'narrow' }));
    onLoad({ filter: /.*/, namespace: 'narrow' }, () => ({
      contents: `import { stripVTControlCharacters } from 'node:util';
        export default (text) => stripVTControlCharacters(text).length;`,
    }));
  },
};

try {
  await mkdir(dirname(file), { recursive: true });
  await build({
    entryPoints: [join(import.meta.dirname, '../src/cli.ts')],
    outfile: unfinished,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    // CommonJS packages in it ask for Node's own modules by this name.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    plugins: [narrow],
    sourcemap: 'external',
    sourcesContent: false,
    logLevel: 'silent',
  });
  await rename(`${unfinished}.map`, `${file}.map`);
  await rename(unfinished, file);
} catch (error) {
  await Promise.all([unfinished, `${unfinished}.map`].map((path) => rm(path, { force: true })));
  throw error;
}
