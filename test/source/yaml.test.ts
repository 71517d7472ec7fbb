import t from 'tap';

import { Diagnostics, renderDiagnostic, renderSourceRef } from '../../src/base/diagnostic.ts';
import { type Path, readYaml, resolvePath, type SourceTree } from '../../src/source/yaml.ts';

function read(text: string, file = 'lab.yaml'): SourceTree {
  const diagnostics = new Diagnostics();
  const [tree] = readYaml(file, text, diagnostics);
  if (tree === undefined) throw new Error(diagnostics.list.map(renderDiagnostic).join('\n'));
  return tree;
}

const TEXT = `vpcs:
  main: { cidr: 10.0.0.0/16 }
list:
  - one
  - { two: 2 }
internet:
  example.com: { address: 198.51.100.10 }
`;

t.test('each value and each key knows its place', async (t) => {
  const tree = read(TEXT);
  t.strictSame(tree.value, {
    vpcs: { main: { cidr: '10.0.0.0/16' } },
    list: ['one', { two: 2 }],
    internet: { 'example.com': { address: '198.51.100.10' } },
  });
  const where = tree.where(['vpcs']);
  t.strictSame(
    [
      tree.at([]),
      where.at('main', 'cidr'),
      where.in('main').keyAt('cidr'),
      tree.at(['list', 0]),
      tree.keyAt(['list', 1, 'two']),
      tree.at(['internet', 'example.com', 'address']),
      where.at('main', 'subnets', 'a'),
    ].map(renderSourceRef),
    ['1:1', '2:17', '2:11', '4:5', '5:7', '7:27', '2:9'].map((place) => `lab.yaml:${place}`),
    'a place that is not there is the nearest around it',
  );
});

t.test('an alias has the value of its anchor', async (t) => {
  t.strictSame(read('a: &x { b: 1 }\nc: *x\n').value, { a: { b: 1 }, c: { b: 1 } });
});

t.test('a file may hold several documents; one that is no YAML is left out', async (t) => {
  const diagnostics = new Diagnostics();
  const trees = readYaml('m.yaml', 'a: 1\n---\nb: [\n---\nc: 3\n', diagnostics);
  t.equal(diagnostics.hasErrors, true);
  t.strictSame(trees.map((tree) => tree.value).filter((value) => value !== null)[0], { a: 1 });
});

t.test('an alias of nothing is a mistake', async (t) => {
  const diagnostics = new Diagnostics();
  readYaml('m.yaml', 'a: &one 1\nb: *one\nc: *two\n', diagnostics);
  t.match(diagnostics.list.map(renderDiagnostic), [/^m.yaml:3:4: error\[yaml-syntax\]: "\*two"/]);
});

t.test('a patch puts its value and its own places in', async (t) => {
  const patch = read('cidr: 10.9.0.0/16\nsubnets: { a: {} }\n', '--set');
  const tree = read(TEXT).patched(['vpcs', 'main'], patch.value, patch, []);
  t.strictSame(tree.value, {
    vpcs: { main: { cidr: '10.9.0.0/16', subnets: { a: {} } } },
    list: ['one', { two: 2 }],
    internet: { 'example.com': { address: '198.51.100.10' } },
  });
  t.strictSame(
    [
      tree.at(['vpcs', 'main', 'cidr']),
      tree.keyAt(['vpcs', 'main', 'subnets', 'a']),
      tree.at(['list', 0]),
    ].map(renderSourceRef),
    ['--set:1:7', '--set:2:12', 'lab.yaml:4:5'],
  );
});

t.test('a patch without a value takes a thing out, and the rest stays', async (t) => {
  const tree = read(TEXT);
  t.strictSame(tree.patched(['vpcs', 'main'], undefined, tree, []).value, {
    vpcs: {},
    list: ['one', { two: 2 }],
    internet: { 'example.com': { address: '198.51.100.10' } },
  });
  const shorter = tree.patched(['list', 0], undefined, tree, []).value as { list: unknown };
  t.strictSame(shorter.list, [{ two: 2 }]);
  t.strictSame(
    (tree.value as { list: unknown }).list,
    ['one', { two: 2 }],
    'the old one is as it was',
  );
});

t.test(
  'where a list has lost an element, those behind it are found where they stand',
  async (t) => {
    const tree = read('list:\n  - a: 1\n  - b: 2\n  - c: 3\nlist-2:\n  - d: 4\n');
    const shorter = tree.patched(['list', 1], undefined, tree, []);
    t.strictSame(shorter.value, { list: [{ a: 1 }, { c: 3 }], 'list-2': [{ d: 4 }] });
    t.strictSame(
      [
        shorter.at(['list', 0, 'a']),
        shorter.at(['list', 1, 'c']),
        shorter.keyAt(['list', 1]),
        shorter.at(['list-2', 0, 'd']),
      ].map(renderSourceRef),
      ['lab.yaml:2:8', 'lab.yaml:4:8', 'lab.yaml:4:5', 'lab.yaml:6:8'],
    );
  },
);

/** What a path may lead to that is not there. */
const KNOWN = {
  knows: (path: Path, key: string) => path.length === 0 && key === 'labels',
  isFreeMap: (path: Path) => path.join() === 'labels',
};

t.test('a path as a person writes it, with dots inside of names', async (t) => {
  const diagnostics = new Diagnostics();
  const { value } = read(TEXT);
  const resolve = (text: string) =>
    resolvePath(value, text, KNOWN, { file: 'f', line: 1, column: 1 }, diagnostics);
  t.strictSame(
    [
      'vpcs.main.cidr',
      'internet.example.com.address',
      'internet.example.com',
      'list.1.two',
      'vpcs.main.new',
      'labels.app.kubernetes.io/name',
    ].map(resolve),
    [
      ['vpcs', 'main', 'cidr'],
      ['internet', 'example.com', 'address'],
      ['internet', 'example.com'],
      ['list', 1, 'two'],
      ['vpcs', 'main', 'new'],
      ['labels', 'app.kubernetes.io/name'],
    ],
  );
  t.strictSame(diagnostics.list, []);
  t.strictSame(['vpcs.mian.cidr', 'list.2', 'list.one', 'vpcs.main.cidr.more'].map(resolve), [
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  t.strictSame(diagnostics.list.map(renderDiagnostic), [
    'f:1:1: error[unknown-path]: "vpcs.mian.cidr": there is no "mian" in vpcs\n  hint: did you mean "main"?',
    'f:1:1: error[unknown-path]: "list.2": "2" is no position in a list of 2\n  hint: positions start at 0',
    'f:1:1: error[unknown-path]: "list.one": "one" is no position in a list of 2\n  hint: positions start at 0',
    'f:1:1: error[unknown-path]: "vpcs.main.cidr.more": there is no "more" in vpcs.main.cidr',
  ]);
});
