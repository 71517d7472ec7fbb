/** What one adds to a lab touches nothing else that is in it. */

import t from 'tap';

import { builtInLabs, findLab, readLabText } from '../src/host/lab-files.ts';
import { diff, type Step } from '../src/kernel/diff.ts';
import { loadText } from '../src/pipeline.ts';

/** What one process does for the whole lab: its configuration names everybody. */
const SHARED = ['server', 'route53-resolver'];

/** A set that keeps what it has: a member more is added to it by itself. */
function isMemberMore(step: Step): boolean {
  const { object } = step.planned;
  if (step.action !== 'change' || object.kind !== 'ipset' || step.before.kind !== 'ipset')
    return false;
  return step.before.members.every((member) => object.members.includes(member));
}

for (const name of builtInLabs()) {
  const text = readLabText(findLab(name));
  const before = loadText(text).state;
  const touched = (manifests: typeof text.manifests, sets: readonly string[] = []): string[] =>
    diff(before, loadText({ ...text, manifests }, sets).state)
      .filter(
        (step) =>
          step.action !== 'add' &&
          !SHARED.includes(step.planned.because.concept) &&
          !isMemberMore(step),
      )
      .map(({ planned }) => `${planned.because.concept} ${planned.because.thing}`);

  t.test(`${name}: one pod more changes no other object`, async (t) => {
    if (loadText(text).cloud.cluster === undefined) {
      t.pass('without a cluster nobody runs a pod');
      return;
    }
    for (let index = 0; index < 8; index += 1) {
      const pod = `apiVersion: v1\nkind: Pod\nmetadata: { name: more-${index} }\nspec: { containers: [{ name: c }] }\n`;
      t.strictSame(touched([...text.manifests, { file: 'more.yaml', text: pod }]), []);
    }
  });

  t.test(`${name}: one subnet more changes no other object`, async (t) => {
    t.strictSame(
      touched(text.manifests, ['vpcs.main.subnets.more={ cidr: 10.0.200.0/24, az: az-1 }']),
      [],
    );
  });
}
