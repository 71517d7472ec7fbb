/** Network ACLs on the kernel, by what passes and what does not. Rows NACL of AWS's documented behaviour. */

import t from 'tap';

import { edit, SILENCE_MS, withLab } from '../support/with-lab.ts';

// Much of the time is waiting for what does not come.
t.jobs = 2;

const RULES = `ingress: { 100: { action: allow } }
        egress: { 100: { action: allow } }`;

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets:
      near: { cidr: 10.0.3.0/24, az: az-1 }
      far: { cidr: 10.0.4.0/24, az: az-2, networkAcl: custom }
    networkAcls:
      custom:
        ${RULES}
    instances:
      client: { subnet: near, address: 10.0.3.10, ports: [80] }
      server: { subnet: far, address: 10.0.4.10, ports: [80, 443] }
      neighbour: { subnet: far, address: 10.0.4.11, ports: [80] }
`;

t.test(
  'NACL-01 rules are asked in the order of their numbers, and the first that matches decides',
  async (t) => {
    const withRule = (number: number): string =>
      edit(LAB, 'ingress: {', `ingress: { ${number}: { action: deny, ports: 80 },`);
    await withLab(t, { lab: withRule(90) }, async (lab) => {
      const requests = {
        denied: ['instance/client', '10.0.4.10'],
        other: ['instance/client', '10.0.4.10:443'],
      } as const;
      t.strictSame(await lab.curl(requests), { denied: 'exit 28', other: 'client 10.0.3.10' });
      await lab.change(withRule(110));
      t.strictSame(await lab.curl(requests), {
        denied: 'client 10.0.3.10',
        other: 'client 10.0.3.10',
      });
      t.strictSame((await lab.verify()).drift, []);
    });
  },
);

t.test(
  'NACL-02 the answer needs a rule of its own, for the port that the asker chose',
  async (t) => {
    const ephemeral = edit(
      LAB,
      'egress: { 100: { action: allow } }',
      'egress: { 100: { action: allow, ports: 32768-65535 } }',
    );
    await withLab(t, { lab: ephemeral }, async (lab) => {
      const from = async (port: number): Promise<string> =>
        (await lab.curl({ it: ['instance/client', '10.0.4.10'] }, `--local-port ${port}`)).it;
      t.strictSame(await Promise.all([from(2000), from(40_000)]), ['exit 28', 'client 10.0.3.10']);
    });
  },
);

t.test(
  'NACL-03 a custom ACL denies all until it has rules, and nothing within the subnet',
  async (t) => {
    await withLab(t, { lab: edit(LAB, `custom:\n        ${RULES}`, 'custom: {}') }, async (lab) => {
      const requests = {
        'into the subnet': ['instance/client', '10.0.4.10'],
        'out of it': ['instance/server', '10.0.3.10'],
        'within it': ['instance/neighbour', '10.0.4.10'],
      } as const;
      t.strictSame(await lab.curl(requests), {
        'into the subnet': 'exit 28',
        'out of it': 'exit 28',
        'within it': 'client 10.0.4.11',
      });
      await lab.change(LAB);
      t.strictSame(await lab.curl(requests), {
        'into the subnet': 'client 10.0.3.10',
        'out of it': 'client 10.0.4.10',
        'within it': 'client 10.0.4.11',
      });
    });
  },
);

t.test(
  'NACL-04 a rule ends what is open at once, tracked by a security group or not',
  async (t) => {
    await withLab(t, { lab: LAB }, async (lab) => {
      await lab.echoServer('instance/server', 9000);
      await lab.echoServer('instance/server', 9001);
      const cut = await lab.connect('instance/client', '10.0.4.10:9000');
      const kept = await lab.connect('instance/client', '10.0.4.10:9001');
      t.strictSame([await cut.say(SILENCE_MS), await kept.say()], ['echo', 'echo']);
      await lab.change(edit(LAB, 'ingress: {', 'ingress: { 50: { action: deny, ports: 9000 },'));
      t.strictSame([await cut.say(SILENCE_MS), await kept.say()], ['silence', 'echo']);
      await lab.change(LAB);
      t.equal(await cut.say(5000), 'echo', 'what was only held up goes on');
    });
  },
);
