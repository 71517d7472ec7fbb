import { defineConfig, globalIgnores } from 'eslint/config';
import { builtinModules } from 'node:module';
import tseslint from 'typescript-eslint';

// What computes. Its result depends on its arguments alone, so that a plan can be printed, compared
// and tested without a kernel; pipeline.ts reads the files and hands their text inwards.
const pure = [
  'src/{base,source,aws,k8s,eks,internet,kernel,judge,report}/**/*.ts',
  'src/{lab,cloud,plan}.ts',
];
const pureModules = ['assert', 'assert/strict', 'path', 'path/posix', 'util'];

const noExit = {
  object: 'process',
  property: 'exit',
  message: 'only src/cli.ts ends the process',
};

export default defineConfig(
  globalIgnores(['.tap/']),
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      // execa's results are thenables, not Promises. A kernel call that nobody awaits is *the* bug.
      '@typescript-eslint/no-floating-promises': ['error', { checkThenables: true }],
      // Without a `default`, every member of a union must be thought of, the next one too.
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: true },
      ],
      // No object slips into a command or a message as `[object Object]`; numbers are fine.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        {
          allowAny: false,
          allowBoolean: false,
          allowNever: false,
          allowNullish: false,
          allowNumber: true,
          allowRegExp: false,
        },
      ],
      'no-restricted-properties': ['error', noExit],
    },
  },
  {
    files: ['src/cli.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    files: pure,
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: [
            // Only what is the same for the same arguments: no randomUUID, no key pairs.
            { name: 'node:crypto', allowImportNames: ['createHash', 'hash'] },
            ...builtinModules
              .filter((name) => name !== 'crypto' && !pureModules.includes(name))
              .flatMap((name) => [name, `node:${name}`])
              .map((name) => ({ name, message: 'this folder is pure: it touches no machine' })),
            { name: 'crypto', message: 'write node:crypto' },
          ],
        },
      ],
      'no-restricted-globals': [
        'error',
        ...['process', 'performance', 'fetch', 'crypto', 'console', 'globalThis'].map((name) => ({
          name,
          message: 'this folder is pure: it touches no machine',
        })),
        ...['setTimeout', 'setInterval', 'setImmediate'].map((name) => ({
          name,
          message: 'this folder is pure: it knows no time',
        })),
        { name: 'Date', message: 'this folder is pure: hand the time in' },
      ],
      'no-restricted-properties': [
        'error',
        noExit,
        {
          object: 'Math',
          property: 'random',
          message: 'this folder is pure: derive it from a name (base/hash.ts)',
        },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'ImportExpression', message: 'this folder is pure: import at the top' },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // tap itself waits for what t.test() returns; every other promise is still looked at.
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          checkThenables: true,
          allowForKnownSafePromises: [
            { from: 'package', name: 'PromiseWithSubtest', package: '@tapjs/core' },
          ],
        },
      ],
      // An async test function ends by itself, whether it waits for something or not.
      '@typescript-eslint/require-await': 'off',
    },
  },
);
