/**
 * Holds the imports in src against the rules of dependency-cruiser.mjs; fails, too, when a source
 * file was not read: dependency-cruiser reads none where it does not know the TypeScript version.
 */

import { cruise, format, type ICruiseResult } from 'dependency-cruiser';
import extractOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import { globSync } from 'node:fs';
import { join } from 'node:path';

process.chdir(join(import.meta.dirname, '..'));
const options = await extractOptions('./scripts/dependency-cruiser.mjs');
const { output: found } = await cruise(['src'], { ...options, validate: true, outputType: 'json' });
if (typeof found !== 'string') throw new Error('dependency-cruiser was asked for JSON');
const result = JSON.parse(found) as ICruiseResult;

const { output: report } = await format(result, { outputType: 'err-long' });
if (typeof report === 'string') process.stdout.write(report);

const read = new Set(result.modules.map((module) => module.source));
const unread = globSync('src/**/*.ts').filter((file) => !read.has(file));
for (const file of unread) console.log(`not read: ${file}`);
if (read.size === 0) console.log('no module was read');
const failed = result.summary.violations.length > 0 || unread.length > 0 || read.size === 0;
process.exitCode = failed ? 1 : 0;
