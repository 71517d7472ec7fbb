/** The verbs as yargs reads them, with their help; what was read goes to `found`. */

import yargs, { type Argv } from 'yargs';

import { type Diagnostic, InputError } from '../base/diagnostic.ts';
import { COMPLETION_SHELLS, GRAPH_FORMATS, PLAN_FORMATS, USAGE, type Verb } from './verbs.ts';

export function problem(what: string, hint: string): Diagnostic {
  return { severity: 'error', code: 'usage', at: undefined, what, hint };
}

/** Of a flag that is given twice the later one counts. */
function last<Value>(value: Value | Value[] | undefined): Value | undefined {
  return [value].flat().at(-1) as Value | undefined;
}

/** `command` is what stands behind the words that yargs reads: a program of `exec`, a filter of `capture`. */
export function verbs(command: readonly string[], found: (verb: Verb) => void): Argv {
  const lab = (y: Argv) =>
    y.positional('lab', {
      type: 'string',
      demandOption: true,
      describe: 'a directory with a lab.yaml, or a name under labs/',
    });
  const patched = (y: Argv) =>
    lab(y).option('set', {
      type: 'string',
      array: true,
      default: [] as string[],
      requiresArg: true,
      describe: 'PATH=VALUE: change the lab without editing it',
    });
  const which = (y: Argv) =>
    y.option('lab', {
      alias: 'l',
      type: 'string',
      requiresArg: true,
      describe: 'which lab, where several are up (or HOPLAB_LAB)',
      coerce: last<string>,
    });
  const thing = (y: Argv) =>
    which(y).positional('thing', { type: 'string', describe: 'pod/web, node/node-1, igw, …' });
  return yargs()
    .command(USAGE.run, 'build a lab, send its probes, report; it stays up', patched, (args) => {
      found({ verb: 'run', lab: args.lab, set: args.set });
    })
    .command(USAGE.up, 'build a lab, or change the one that is up', patched, (args) => {
      found({ verb: 'up', lab: args.lab, set: args.set });
    })
    .command(
      USAGE.down,
      'take a lab down, and everything in it',
      (y) =>
        y
          .positional('lab', { type: 'string', describe: 'the lab; else the only one up' })
          .option('all', { type: 'boolean', default: false, describe: 'every lab that is up' })
          .option('l', { type: 'string', describe: 'the same as naming the lab' }),
      (args) => {
        found({ verb: 'down', lab: args.lab ?? args.l, all: args.all });
      },
    )
    .command(
      USAGE.ps,
      'the labs that are up',
      (y) => y,
      () => {
        found({ verb: 'ps' });
      },
    )
    .command(
      USAGE.inspect,
      'what is in a lab, or what a thing, alb/NAME, sg/NAME, acl/NAME or netpol/NAME is',
      thing,
      (args) => {
        found({ verb: 'inspect', thing: args.thing, lab: args.lab });
      },
    )
    .command(
      USAGE.probe,
      'send the probes of the lab that is up again',
      (y) =>
        which(y)
          .positional('probes', { type: 'string', array: true, default: [] as string[] })
          .option('every', { type: 'string', requiresArg: true, describe: 'again and again: 1s' }),
      (args) => {
        found({ verb: 'probe', probes: args.probes, lab: args.lab, every: args.every });
      },
    )
    .command(
      USAGE.why,
      'what the model says becomes of a request, and what decides: why pod/web instance/db -p 5432',
      (y) =>
        which(y)
          .positional('from', { type: 'string', demandOption: true, describe: 'who asks' })
          .positional('to', {
            type: 'string',
            demandOption: true,
            describe: 'a thing, an address or a name, with :PORT or without',
          })
          .option('port', { alias: 'p', type: 'number', requiresArg: true, describe: 'the port' })
          .option('udp', { type: 'boolean', default: false, describe: 'UDP instead of TCP' })
          .option('icmp', { type: 'boolean', default: false, describe: 'a ping' })
          .option('set', {
            type: 'string',
            array: true,
            default: [] as string[],
            requiresArg: true,
            describe: 'PATH=VALUE: what if',
          }),
      (args) => {
        found({
          verb: 'why',
          from: args.from,
          to: args.to,
          port: args.port,
          udp: args.udp,
          icmp: args.icmp,
          lab: args.lab,
          set: args.set,
        });
      },
    )
    .command(
      USAGE.matrix,
      'everybody asks everybody: what is predicted beside what is seen',
      (y) =>
        which(y)
          .option('from', {
            type: 'string',
            requiresArg: true,
            coerce: last<string>,
            describe: 'who asks: pod/web',
          })
          .option('to', {
            type: 'string',
            requiresArg: true,
            coerce: last<string>,
            describe: 'who is asked',
          })
          .option('port', {
            type: 'number',
            requiresArg: true,
            coerce: last<number>,
            describe: 'this port alone, declared or not',
          })
          .option('all', {
            type: 'boolean',
            default: false,
            describe: 'every request on a line of its own',
          }),
      (args) => {
        const { from, to, port, all } = args;
        found({ verb: 'matrix', from, to, port, all, lab: args.lab });
      },
    )
    .command(
      USAGE.exec,
      'run a program inside a thing: exec pod/web -- ip route',
      (y) => thing(y).demandOption('thing'),
      (args) => {
        const [program, ...rest] = command;
        if (program === undefined) {
          throw new InputError([
            problem(
              'no program to run',
              `write it behind the thing: npx hoplab exec ${args.thing} -- ip route; or open a shell: npx hoplab shell ${args.thing}`,
            ),
          ]);
        }
        found({ verb: 'exec', thing: args.thing, command: [program, ...rest], lab: args.lab });
      },
    )
    .command(USAGE.shell, 'a shell in the lab, or inside a thing', thing, (args) => {
      found({ verb: 'shell', thing: args.thing, lab: args.lab });
    })
    .command(
      USAGE.capture,
      'tcpdump at places of the lab: capture nat/nat-1 igw:vpc -- tcp port 80',
      (y) =>
        which(y)
          .positional('places', {
            type: 'string',
            array: true,
            default: [] as string[],
            describe: 'node/node-1: all its interfaces, node/node-1:eth1: one',
          })
          .option('path', {
            type: 'string',
            nargs: 2,
            // Named twice, the later one counts.
            coerce: (words: string | string[] | undefined) => [words ?? []].flat().slice(-2),
            describe: 'FROM TO: every place on the way from one thing to another',
          })
          .option('write', {
            alias: 'w',
            type: 'string',
            requiresArg: true,
            describe: 'FILE or -: one pcapng with an interface for each place',
          })
          .option('count', {
            alias: 'c',
            type: 'number',
            requiresArg: true,
            describe: 'end after so many packets',
          })
          .option('duration', {
            type: 'string',
            requiresArg: true,
            describe: 'end after this time: 10s',
          })
          .epilogue(
            [
              'Behind "--" stands a filter as tcpdump takes it, and before the filter, if you like, what changes',
              "tcpdump's text: -e -v -A -X -S -q. With --json each packet is one JSON document on a line of its own.",
              '',
              '  hoplab capture --path pod/client internet/example.com -- icmp',
              '  hoplab capture --path pod/client internet/example.com -w - | wireshark -k -i -',
            ].join('\n'),
          ),
      (args) => {
        const [from, to] = args.path ?? [];
        found({
          verb: 'capture',
          places: args.places,
          path: from === undefined || to === undefined ? undefined : [from, to],
          write: args.write,
          count: args.count,
          duration: args.duration,
          filter: command,
          lab: args.lab,
        });
      },
    )
    .command(
      USAGE.drops,
      'the packets that were denied, and which rule denied them',
      (y) =>
        which(y)
          .option('follow', {
            alias: 'f',
            type: 'boolean',
            default: false,
            describe: 'go on with those that are denied from now on',
          })
          .option('since', {
            type: 'string',
            requiresArg: true,
            describe: 'not those of longer ago: 10s',
          })
          .option('number', {
            alias: 'n',
            type: 'number',
            default: 50,
            requiresArg: true,
            describe: 'at most so many lines',
          })
          .epilogue(
            [
              'Equal packets, retransmissions for example, are one line with their number; with -f each is a line.',
              'With --json -f each packet is one JSON document on a line of its own.',
            ].join('\n'),
          ),
      (args) => {
        found({
          verb: 'drops',
          follow: args.follow,
          since: args.since,
          number: args.number,
          lab: args.lab,
        });
      },
    )
    .command(
      USAGE.logs,
      'what became of the requests to a load balancer: logs alb/web',
      (y) =>
        which(y)
          .positional('thing', {
            type: 'string',
            demandOption: true,
            describe: 'alb/web, or one of its nodes: alb/web/az-1',
          })
          .option('follow', {
            alias: 'f',
            type: 'boolean',
            default: false,
            describe: 'go on with those that come from now on',
          })
          .option('number', {
            alias: 'n',
            type: 'number',
            default: 50,
            requiresArg: true,
            describe: 'at most so many lines of those that are there',
          }),
      (args) => {
        const { thing: name, follow, number } = args;
        found({ verb: 'logs', thing: name, follow, number, lab: args.lab });
      },
    )
    .command(USAGE.verify, 'hold the kernel as it stands against the plan', which, (args) => {
      found({ verb: 'verify', lab: args.lab });
    })
    .command(USAGE.repair, 'mend what verify finds, and nothing else', which, (args) => {
      found({ verb: 'repair', lab: args.lab });
    })
    .command(
      USAGE.plan,
      'what would be done; needs no root, builds nothing',
      (y) =>
        patched(y)
          .option('format', {
            choices: PLAN_FORMATS,
            default: 'text' as const,
            describe: 'for people, for a shell, as iptables-save has it, for programs',
          })
          .option('node', {
            type: 'string',
            describe: 'of this node, or another thing, alone: node-1, nat/nat-1',
          }),
      (args) => {
        const format = args['json'] === true ? 'json' : args.format;
        found({ verb: 'plan', lab: args.lab, format, node: args.node, set: args.set });
      },
    )
    .command(USAGE.validate, 'whether the files of a lab are well-formed', patched, (args) => {
      found({ verb: 'validate', lab: args.lab, set: args.set });
    })
    .command(
      USAGE.graph,
      'draw a lab: VPCs, zones, subnets, and what is in them, by its files',
      (y) =>
        patched(y)
          .option('format', {
            choices: GRAPH_FORMATS,
            default: 'mermaid' as const,
            describe: 'mermaid for Markdown, dot for Graphviz, svg for everyone',
          })
          .option('health', {
            type: 'boolean',
            default: false,
            describe: 'the lab that is up, with how the targets of its load balancers are now',
          }),
      (args) => {
        const format = args['json'] === true ? 'json' : args.format;
        found({ verb: 'graph', lab: args.lab, format, health: args.health, set: args.set });
      },
    )
    .command(
      USAGE.list,
      'the labs, and the question that each asks',
      (y) => y,
      () => {
        found({ verb: 'list' });
      },
    )
    .command(
      USAGE.doctor,
      'what this machine lacks, what that costs, how to mend it',
      (y) => y,
      () => {
        found({ verb: 'doctor' });
      },
    )
    .command(
      USAGE.schema,
      'the JSON Schema of lab.yaml, for editors',
      (y) => y,
      () => {
        found({ verb: 'schema' });
      },
    )
    .command(
      USAGE.completion,
      'the completion script of a shell',
      (y) =>
        y.positional('shell', {
          choices: COMPLETION_SHELLS,
          demandOption: true,
          describe: 'bash or zsh',
        }),
      (args) => {
        found({ verb: 'completion', shell: args.shell });
      },
    );
}
