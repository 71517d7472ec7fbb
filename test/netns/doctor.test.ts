/** On the real kernel: the doctor says what is so, takes nothing and leaves nothing. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';

import t from 'tap';

import { run } from '../../src/host/exec.ts';
import { examine } from '../../src/host/doctor.ts';
import { judgeMachine, renderDoctor } from '../../src/report/doctor.ts';

/** What a doctor that is no guest would have changed. */
async function standing(): Promise<unknown> {
  const { stdout: links } = await run(['ip', '-brief', 'link']);
  const { stdout: rules } = await run(['ip', 'rule']);
  return {
    links,
    rules,
    netns: existsSync('/run/netns') ? readdirSync('/run/netns') : [],
    mounts: readFileSync('/proc/self/mountinfo', 'utf8'),
    forward: readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'),
    etc: readdirSync('/etc'),
  };
}

/** The processes whose command line names the doctor's script. */
function doctors(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('doctor.sh');
      } catch {
        return false;
      }
    });
}

t.test('the doctor finds that labs run here, takes nothing and leaves nothing', async (t) => {
  const before = await standing();
  const machine = await examine();
  t.strictSame(await standing(), before);
  t.strictSame(doctors(), []);
  const verdict = judgeMachine(machine);
  if (!verdict.runs && process.env['REQUIRE_NETNS'] !== '1') {
    t.pass('labs run here', { skip: renderDoctor(machine, verdict).split('\n').at(-1) ?? '' });
    return;
  }
  t.equal(verdict.runs, true, renderDoctor(machine, verdict));
  t.ok(machine.tools.length > 10);
  t.ok('mounts' in machine.tried && 'nft-bridge' in machine.tried && 'nfacct' in machine.tried);
});
