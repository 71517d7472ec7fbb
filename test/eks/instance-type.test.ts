import t from 'tap';

import { instanceType, instanceTypes, podAddresses } from '../../src/eks/instance-type.ts';

t.test('ENIs and addresses as AWS lists them', async (t) => {
  // AvailableIpPerENI.html, and amazon-vpc-cni-k8s pkg/vpc/vpc_ip_resource_limit.go.
  const known: Record<string, [number, number]> = {
    't3.micro': [2, 2],
    't3.small': [3, 4],
    't3a.small': [2, 4],
    't3.medium': [3, 6],
    't3.large': [3, 12],
    'm5.large': [3, 10],
    'm5.xlarge': [4, 15],
    'm5.4xlarge': [8, 30],
    'm5.24xlarge': [15, 50],
    'c5.9xlarge': [8, 30],
    'c5.18xlarge': [15, 50],
  };
  const found = Object.fromEntries(
    Object.keys(known).map((name) => {
      const type = instanceType(name);
      return [name, [type?.maxEnis, type?.ipv4PerEni]];
    }),
  );
  t.strictSame(found, known);
});

t.test('a type that nobody listed is not guessed', async (t) => {
  const names = ['m5.nano', 'm5', 'x9.large', '', 'm6g.24xlarge', 'M5.large'];
  t.strictSame(
    names.filter((name) => instanceType(name) !== undefined),
    [],
  );
});

t.test('an m5.large has 27 addresses for pods', async (t) => {
  const type = instanceType('m5.large');
  t.equal(type === undefined ? 0 : podAddresses(type), 27);
});

t.test('every type that is listed is known', async (t) => {
  t.strictSame(
    instanceTypes().filter((name) => instanceType(name)?.name !== name),
    [],
  );
});
