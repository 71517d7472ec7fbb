import t from 'tap';

import { InputError } from '../../src/base/diagnostic.ts';
import { parse } from '../../src/commands/grammar.ts';
import { splitWords } from '../../src/commands/split-words.ts';

const meaning = async (line: string): Promise<unknown> => {
  const { json, verbose, ...verb } = await parse(splitWords(line.split(' ')), '1.2.3');
  return { ...verb, ...(json ? { json } : {}), ...(verbose ? { verbose } : {}) };
};

const problems = async (line: string): Promise<string[]> => {
  try {
    await parse(splitWords(line.split(' ')), '1.2.3');
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.diagnostics.map(({ what, hint }) => `${what}: ${hint ?? ''}`);
  }
};

t.test('a first word that is no verb is a lab, wherever the flags stand', async (t) => {
  const run = { verb: 'run', lab: 'scenario-4', set: [] };
  t.strictSame(await meaning('scenario-4'), run);
  t.strictSame(await meaning('run scenario-4'), run);
  t.strictSame(await meaning('scenario-4 --json -v'), { ...run, json: true, verbose: true });
  t.strictSame(await meaning('--json scenario-4'), { ...run, json: true });
  t.strictSame(await meaning('labs/scenario-4'), { ...run, lab: 'labs/scenario-4' });
});

t.test('--set takes one word each time, before the lab too', async (t) => {
  t.strictSame(await meaning('up --set a.b=1 lab --set c=[]'), {
    verb: 'up',
    lab: 'lab',
    set: ['a.b=1', 'c=[]'],
  });
});

t.test('what stands behind the thing of exec belongs to the program', async (t) => {
  const exec = { verb: 'exec', thing: 'pod/a', command: ['ip', '-j', 'rule'], lab: undefined };
  t.strictSame(await meaning('exec pod/a ip -j rule'), exec);
  t.strictSame(await meaning('exec pod/a -- ip -j rule'), exec);
  t.strictSame(await meaning('exec -l one pod/a -- ip -j rule'), { ...exec, lab: 'one' });
  t.strictSame(await meaning('-l one exec pod/a ip -j rule'), { ...exec, lab: 'one' });
  t.strictSame(await meaning('exec pod/a -v -- ip -j rule'), { ...exec, verbose: true });
  t.strictSame(await meaning('exec pod/a curl --json x -v'), {
    ...exec,
    command: ['curl', '--json', 'x', '-v'],
  });
  t.strictSame(await meaning('exec pod/a -- sh -c -- x'), {
    ...exec,
    command: ['sh', '-c', '--', 'x'],
  });
});

t.test('drops are the last 50, of any time, unless something else is said', async (t) => {
  const drops = { verb: 'drops', follow: false, since: undefined, number: 50, lab: undefined };
  t.strictSame(await meaning('drops'), drops);
  t.strictSame(await meaning('drops -f --since 10s -n 3 -l x'), {
    ...drops,
    ...{ follow: true, since: '10s', number: 3, lab: 'x' },
  });
});

t.test('a thing is optional where the whole lab can be meant', async (t) => {
  t.strictSame(await meaning('shell'), { verb: 'shell', thing: undefined, lab: undefined });
  t.strictSame(await meaning('inspect igw -l x'), { verb: 'inspect', thing: 'igw', lab: 'x' });
  t.strictSame(await meaning('down --all'), { verb: 'down', lab: undefined, all: true });
  t.strictSame(await meaning('probe a b --every 1s'), {
    verb: 'probe',
    probes: ['a', 'b'],
    lab: undefined,
    every: '1s',
  });
});

t.test('matrix takes who asks, who is asked, and a port', async (t) => {
  const matrix = { verb: 'matrix', from: undefined, to: undefined, port: undefined, all: false };
  t.strictSame(await meaning('matrix'), { ...matrix, lab: undefined });
  t.strictSame(await meaning('matrix --from a --from pod/a --to igw --port 80 --all -l x'), {
    ...matrix,
    from: 'pod/a',
    to: 'igw',
    port: 80,
    all: true,
    lab: 'x',
  });
  t.strictSame(await problems('matrix --form a'), [
    'matrix knows no "form": did you mean "--from"? or see npx hoplab matrix --help',
  ]);
});

t.test('capture takes places, a path of two, and a filter behind --', async (t) => {
  const capture = {
    verb: 'capture',
    places: [],
    path: undefined,
    write: undefined,
    count: undefined,
    duration: undefined,
    filter: [],
    lab: undefined,
  };
  t.strictSame(await meaning('capture igw nat/nat-1:eth0 -- tcp port 80'), {
    ...capture,
    places: ['igw', 'nat/nat-1:eth0'],
    filter: ['tcp', 'port', '80'],
  });
  t.strictSame(await meaning('capture -l x --path pod/a igw node/b -w - -c 3 --duration 10s'), {
    ...capture,
    places: ['node/b'],
    path: ['pod/a', 'igw'],
    write: '-',
    count: 3,
    duration: '10s',
    lab: 'x',
  });
  t.strictSame(await meaning('capture --path a b -- -e icmp'), {
    ...capture,
    path: ['a', 'b'],
    filter: ['-e', 'icmp'],
  });
  t.strictSame(await problems('capture --path pod/a'), [
    '--path takes two things: --path pod/client internet/example.com',
  ]);
});

t.test('plan --json is plan --format json', async (t) => {
  const plan = { verb: 'plan', lab: 'x', node: undefined, set: [] };
  t.strictSame(await meaning('plan x'), { ...plan, format: 'text' });
  t.strictSame(await meaning('plan x --json'), { ...plan, format: 'json', json: true });
});

t.test('help and version are texts', async (t) => {
  t.match(await meaning('help up'), { verb: 'help', text: 'hoplab up <lab>' });
  t.match(await meaning('--help'), { verb: 'help', text: 'hoplab exec <thing>' });
  t.strictSame(await meaning('--version'), { verb: 'help', text: '1.2.3' });
});

t.test('words that mean nothing are named, with what was meant', async (t) => {
  t.strictSame(await problems('up x --jsn'), [
    'up knows no "jsn": did you mean "--json"? or see npx hoplab up --help',
  ]);
  t.strictSame(await problems('up'), ['up needs a lab: npx hoplab up <lab>']);
  t.strictSame(await problems('ps more'), ['ps knows no "more": see npx hoplab ps --help']);
  t.match(await problems('exec pod/a'), [/^no program to run: .*hoplab shell pod\/a$/]);
  t.match(await problems('exec'), ['exec needs a thing: npx hoplab exec <thing>']);
  t.match(await problems('plan x --format svg'), [
    /Invalid values: .*"text", "sh", "iptables", "json"/,
  ]);
});
