/** RDS on a real PostgreSQL (fidelity rows RDS-01, RDS-02). */

import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import t from 'tap';

import { run } from '../../src/host/exec.ts';
import { renderDrift } from '../../src/report/drift.ts';
import { ordinaryUser } from '../support/as-ordinary-user.ts';
import { differences } from '../support/matrix.ts';
import { edit, type TestLab, withLab } from '../support/with-lab.ts';

t.jobs = 2;

// Where what is kept of clusters lies: a machine's own may be there or not.
const CACHE = mkdtempSync(join(tmpdir(), 'hoplab-cache-'));
process.env['XDG_CACHE_HOME'] = CACHE;
t.teardown(() => {
  rmSync(CACHE, { recursive: true, force: true });
});

const LAB = `
vpcs:
  main:
    cidr: 10.0.0.0/16
    internetGateway: igw
    subnets:
      public: { cidr: 10.0.1.0/24, az: az-1, routeTable: public }
      db-1: { cidr: 10.0.5.0/24, az: az-1 }
      db-2: { cidr: 10.0.6.0/24, az: az-2, routeTable: public }
    routeTables: { public: { routes: [{ destination: 0.0.0.0/0, target: igw }] } }
    securityGroups:
      app: {}
      db: { ingress: [{ ports: 5432, from: sg/app }], egress: [] }
    instances:
      app: { subnet: public, address: 10.0.1.10, elasticIp: 203.0.113.10, securityGroups: [app] }
      stranger: { subnet: public, address: 10.0.1.11, ports: [] }
    dbSubnetGroups: { db: { subnets: [db-1, db-2] } }
    databases:
      app:
        subnetGroup: db
        securityGroups: [db]
        multiAz: false
        availabilityZone: az-1
        publiclyAccessible: false
        addresses: { az-1: 10.0.5.20, az-2: 10.0.6.20 }
  other:
    cidr: 10.1.0.0/16
    subnets: { one: { cidr: 10.1.1.0/24, az: az-1 } }
    instances: { far: { subnet: one, address: 10.1.1.10, ports: [] } }
internet: { user: { address: 198.51.100.10 } }
`;
const MULTI_AZ = edit(LAB, 'multiAz: false', 'multiAz: true');
const FAILED_OVER = edit(MULTI_AZ, 'availabilityZone: az-1', 'availabilityZone: az-2');

function endpointOf({ lab }: TestLab): string {
  return lab.cloud.vpcs.get('main')?.databases.get('app')?.endpoint ?? '';
}

/** What the database says, or `silence`, or the last line of what psql says. */
async function ask(lab: TestLab, where: string, query: string, host?: string): Promise<string> {
  const uri = `postgresql://postgres:hoplab-secret@${host ?? endpointOf(lab)}/postgres`;
  const { exitCode, stdout, stderr } = await lab.in(
    where,
    `timeout 2 psql -XAt ${uri} -c "${query}"`,
  );
  if (exitCode === 124) return 'silence';
  return exitCode === 0 ? stdout.trim() : (/Connection refused/.exec(stderr)?.[0] ?? stderr.trim());
}

/** How many copies of all of its data a server has given. */
async function copies(lab: TestLab, server: string): Promise<number> {
  // A copy takes two connections, the data's and that of what is written meanwhile.
  const { stdout } = await lab.sh(
    `grep -c 'authorized.*application_name=pg_basebackup' /run/hoplab/${server}.log`,
  );
  return Number(stdout) / 2;
}

/** The endpoint's records: `CNAME 5 TARGET, A ADDRESS`. */
async function dig(lab: TestLab, where: string): Promise<string> {
  const answer = await lab.out(where, `dig +noall +answer ${endpointOf(lab)}`);
  return answer
    .split('\n')
    .map((line) => line.split(/\s+/))
    .map(([, ttl = '', , type = '', data = '']) => (type === 'A' ? `A ${data}` : `${type} ${ttl}`))
    .join(', ');
}

const WHO = 'select inet_client_addr(), inet_server_addr()';

t.test('RDS-01: reached by its name from the group that is named, from nowhere else', async (t) => {
  await withLab(t, { lab: LAB }, async (lab) => {
    const everywhere = { mine: 'instance/app', other: 'instance/far', outside: 'internet/user' };
    for (const where of Object.values(everywhere)) {
      t.equal(await dig(lab, where), 'CNAME 5, A 10.0.5.20', where);
    }
    const [app, stranger, user] = await Promise.all([
      ask(lab, 'instance/app', WHO),
      ask(lab, 'instance/stranger', WHO),
      ask(lab, 'internet/user', WHO),
    ]);
    t.strictSame(
      { app, stranger, user },
      { app: '10.0.1.10|10.0.5.20', stranger: 'silence', user: 'silence' },
    );
    t.strictSame(differences(await lab.matrix()), []);
    t.equal(renderDrift((await lab.verify()).drift, true), '');

    // The control: without the reference nobody is let in, and with another one the other is.
    await lab.change(edit(LAB, 'from: sg/app', 'from: sg/default'));
    const [without, instead] = await Promise.all([
      ask(lab, 'instance/app', WHO),
      ask(lab, 'instance/stranger', WHO),
    ]);
    t.strictSame({ without, instead }, { without: 'silence', instead: '10.0.1.11|10.0.5.20' });
  });
});

t.test(
  'RDS-01: publicly accessible, the name leads to a public address outside alone',
  async (t) => {
    const open = edit(
      edit(LAB, 'publiclyAccessible: false', 'publiclyAccessible: true'),
      'from: sg/app',
      'from: 0.0.0.0/0',
    ).replace('availabilityZone: az-1', 'availabilityZone: az-2');
    await withLab(t, { lab: open }, async (lab) => {
      const elastic = lab.lab.cloud.vpcs.get('main')?.databases.get('app')?.primary.eni
        .addresses[0];
      t.equal(await dig(lab, 'internet/user'), `CNAME 5, A ${elastic?.elastic ?? ''}`);
      t.equal(await dig(lab, 'instance/app'), 'CNAME 5, A 10.0.6.20');
      t.equal(await ask(lab, 'internet/user', WHO), '198.51.100.10|10.0.6.20');
      t.strictSame(differences(await lab.matrix()), []);
    });
  },
);

t.test('RDS-02: the standby takes over, with the data, and the name leads to it', async (t) => {
  await withLab(t, { lab: MULTI_AZ }, async (lab) => {
    const app = (query: string, host?: string): Promise<string> =>
      ask(lab, 'instance/app', query, host);
    t.equal(await app('create table orders as select 1 as id'), 'SELECT 1');
    t.equal(await app(WHO, '10.0.6.20'), 'Connection refused', 'nobody signs in at a standby');

    // The control of "synchronous": where the standby is cut off, no write is confirmed.
    await lab.in('rds/app/standby', 'ip link set replication down');
    t.equal(await app('insert into orders values (2)'), 'silence');
    await lab.repair();
    t.equal(await app('insert into orders values (3)'), 'INSERT 0 1');

    const uri = `postgresql://postgres:hoplab-secret@${endpointOf(lab)}/postgres`;
    const session = `{ echo "select 'signed in';"; sleep 60; echo "select 'still';"; } | psql -XAt ${uri}`;
    await lab.sh(
      `setsid ip netns exec ${lab.netns('instance/app')} sh -c '${session.replaceAll("'", String.raw`'\''`)}' >/run/session 2>&1 &`,
    );
    const said = async (): Promise<string> => (await lab.sh('cat /run/session')).stdout;
    t.match(await lab.poll(said, (text) => text.includes('signed in')), 'signed in');
    const connections = async (): Promise<string> =>
      lab.out('instance/app', 'ss -Htn state established dst 10.0.5.20');
    t.not(await connections(), '');

    await lab.change(FAILED_OVER);
    t.equal(await copies(lab, 'rds-app-az-2'), 0, 'who was the primary follows from where it was');
    t.equal(await dig(lab, 'instance/app'), 'CNAME 5, A 10.0.6.20');
    t.equal(await lab.poll(connections, (text) => text === ''), '', 'the old connection is dead');
    t.equal(await app(WHO), '10.0.1.10|10.0.6.20');
    t.match(
      await app('select string_agg(id::text, chr(44) order by id) from orders'),
      /^1,(2,)?3$/,
    );
    t.equal(await app(WHO, '10.0.5.20'), 'Connection refused', 'who keeps to the address');
    t.strictSame(differences(await lab.matrix()), []);
    t.equal(renderDrift((await lab.verify()).drift, true), '');

    t.equal(await app('insert into orders values (4)'), 'INSERT 0 1');
    await lab.sh('kill -9 $(head -n 1 /run/hoplab/postgres/rds-app-az-2/postmaster.pid)');
    t.match(renderDrift((await lab.verify()).drift, true), /postgres-rds-app-az-2/);
    await lab.repair();
    t.equal(renderDrift((await lab.verify()).drift, true), '');
    t.equal(
      await app('select max(id) from orders'),
      '4',
      'what was written is there after a crash',
    );

    await lab.change(MULTI_AZ);
    t.equal(await app('select max(id), inet_server_addr() from orders'), '4|10.0.5.20');
  });
});

t.test('RDS-02: who has what its new primary never had is made anew from it', async (t) => {
  await withLab(t, { lab: MULTI_AZ }, async (lab) => {
    const app = (query: string): Promise<string> => ask(lab, 'instance/app', query);
    t.equal(await app('create table orders as select 1 as id'), 'SELECT 1');
    t.equal(await copies(lab, 'rds-app-az-1'), 0, 'both began with the same');

    await lab.sh('kill -9 $(head -n 1 /run/hoplab/postgres/rds-app-az-2/postmaster.pid)');
    t.equal(await app('insert into orders values (2)'), 'silence', 'written, and not confirmed');
    await lab.change(FAILED_OVER);
    t.equal(await copies(lab, 'rds-app-az-2'), 1);
    t.equal(await app('insert into orders values (3)'), 'INSERT 0 1', 'confirmed by the standby');
    t.equal(await app('select string_agg(id::text, chr(44) order by id) from orders'), '1,3');

    await lab.change(MULTI_AZ);
    t.equal(await app('select string_agg(id::text, chr(44) order by id) from orders'), '1,3');
  });
});

t.test('RDS-02: what was confirmed is there after a failover that broke off', async (t) => {
  await withLab(t, { lab: MULTI_AZ }, async (lab) => {
    const app = (query: string, host?: string): Promise<string> =>
      ask(lab, 'instance/app', query, host);
    t.equal(await app('create table orders as select 1 as id'), 'SELECT 1');
    // As if killed when the standby was the primary already, and who was it until then had begun to follow.
    const path = '/run/hoplab/rds-app-az-2.conf';
    const config = [...lab.load(FAILED_OVER).state.values()]
      .map(({ object }) => object)
      .find((object) => object.kind === 'file' && object.path === path);
    await lab.sh(`cat >${path} <<'END'\n${config?.kind === 'file' ? config.content : ''}END`);
    await lab.sh(
      'nsenter --net=/run/netns/rds-app-az-2 sh /run/hoplab/postgres.sh primary rds-app-az-2 rds-app-az-1 app </dev/null',
    );
    await lab.sh(
      'setpriv --reuid postgres --clear-groups touch /run/hoplab/postgres/rds-app-az-1/standby.signal',
    );
    t.equal(await app('insert into orders values (2)', '10.0.6.20'), 'silence');

    // Back again, to where the standby went on from.
    await lab.repair();
    t.equal(
      await copies(lab, 'rds-app-az-1'),
      1,
      'it takes what the other one has, which is made anew',
    );
    t.equal(await app('insert into orders values (3)'), 'INSERT 0 1');
    await lab.change(FAILED_OVER);
    t.equal(await copies(lab, 'rds-app-az-2'), 0);
    t.equal(await app('insert into orders values (4)'), 'INSERT 0 1');
    // What was not confirmed may be there or not.
    const left = await app('select string_agg(id::text, chr(44) order by id) from orders');
    t.match(left, /^1,(2,)?3,4$/);
    t.equal(renderDrift((await lab.verify()).drift, true), '');
  });
});

t.test(
  'one zone becomes two, two become one, and the data stay until the database goes',
  async (t) => {
    const ids = 'select string_agg(id::text, chr(44) order by id) from orders';
    await withLab(t, { lab: LAB }, async (lab) => {
      const app = (query: string): Promise<string> => ask(lab, 'instance/app', query);
      t.equal(await app('create table orders as select 1 as id'), 'SELECT 1');
      await lab.change(FAILED_OVER);
      t.equal(await app(ids), '1', 'the other zone takes it over');
      t.equal(await app(WHO), '10.0.1.10|10.0.6.20');
      await lab.change(MULTI_AZ);
      t.equal(await app('insert into orders values (2)'), 'INSERT 0 1');
      // A standby that does not end by itself, and whose data are left, as by a change that was cut off.
      const standby = '/run/hoplab/postgres/rds-app-az-2';
      await lab.sh(`cp -a ${standby} /run/left; kill -STOP $(head -n 1 ${standby}/postmaster.pid)`);
      await lab.change(LAB);
      t.equal(
        await app('insert into orders values (3)'),
        'INSERT 0 1',
        'alone it confirms by itself',
      );
      await lab.sh(`mv /run/left ${standby}`);
      await lab.change(FAILED_OVER);
      t.equal(await app(ids), '1,2,3', 'a standby of before is no standby any more');
      await lab.change(edit(FAILED_OVER, 'multiAz: true', 'multiAz: false'));
      t.equal(
        await app('insert into orders values (4)'),
        'INSERT 0 1',
        'the standby is promoted, alone',
      );
      t.equal(await app(ids), '1,2,3,4');

      const databases = LAB.slice(LAB.indexOf('    databases:'), LAB.indexOf('  other:'));
      await lab.change(edit(LAB, databases, ''));
      const left = 'ls /run/hoplab/postgres; pgrep -x postgres || echo none';
      t.equal((await lab.sh(left)).stdout.trim(), 'none', 'nothing of it is left');
      await lab.change(LAB);
      t.match(
        await app(ids),
        /relation "orders" does not exist/,
        'a database that is made anew is empty',
      );
    });
  },
);

t.test('what is kept of a cluster is made anew where it is of no use', async (t) => {
  const own = edit(
    LAB,
    'availabilityZone: az-1',
    'availabilityZone: az-1\n        masterUsername: keeper',
  );
  const kept = (): string[] =>
    readdirSync(join(CACHE, 'hoplab'))
      .filter((name) => name.endsWith('.tar'))
      .map((name) => join(CACHE, 'hoplab', name));
  const before = new Set(kept());
  const comesUp = async (what: string): Promise<void> => {
    await withLab(t, { lab: own }, async (lab) => {
      const uri = `postgresql://keeper:hoplab-secret@${endpointOf(lab)}/postgres`;
      t.equal(await lab.out('instance/app', `psql -XAt ${uri} -c 'select 1'`), '1', what);
    });
  };
  await comesUp('without one');
  const [file = ''] = kept().filter((path) => !before.has(path));
  const bytes = statSync(file).size;
  for (const [what, left] of [
    ['cut off', Math.floor(bytes / 2)],
    ['empty', 0],
  ] as const) {
    truncateSync(file, left);
    await comesUp(what);
    t.equal(statSync(file).size, bytes, 'and it is whole again');
  }
  // As after a power cut: all of its bytes are there, and none was written.
  truncateSync(file, 0);
  truncateSync(file, bytes);
  await comesUp('of zeros');
});

t.test('an ordinary user has databases, too', async (t) => {
  const { home, hoplab } = ordinaryUser();
  t.teardown(async () => {
    await run(hoplab(['down', '--all']));
    rmSync(home, { recursive: true, force: true });
  });
  const { exitCode, stdout, stderr } = await run(hoplab(['run', 'scenario-5']));
  t.equal(exitCode, 0, stdout + stderr);
});
