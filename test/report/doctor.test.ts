import t from 'tap';

import { type Machine, parseMachine } from '../../src/kernel/machine.ts';
import { judgeMachine, renderDoctor } from '../../src/report/doctor.ts';

const TRIED = ['mounts', 'proc', 'netns', 'veth', 'port', 'nft-bridge', 'overlay', 'netem'];

function machine(change: Partial<Machine> = {}): Machine {
  const well: Machine = {
    platform: 'linux',
    node: '24.1.0',
    uid: 0,
    user: 'root',
    kernel: '6.8.0-31-generic',
    os: 'Ubuntu 24.04 LTS',
    like: ['ubuntu', 'debian'],
    container: '',
    tools: [
      { command: 'ip', package: 'iproute2', isThere: true, version: '6.1.0' },
      { command: 'unshare', package: 'util-linux', isThere: true, version: '2.39.3' },
      { command: 'newuidmap', package: 'uidmap', isThere: true, version: '' },
    ],
    iptables: 'nf_tables',
    subuid: '100000:65536',
    subgid: '100000:65536',
    sysctls: { 'net.ipv4.neigh.default.gc_thresh3': '16384' },
    namespaces: '',
    tried: Object.fromEntries(TRIED.map((key) => [key, ''])),
  };
  return { ...well, ...change };
}

function report(change: Partial<Machine>): string {
  const facts = machine(change);
  return renderDoctor(facts, judgeMachine(facts));
}

/** From the first line to the last, what is not well. */
function gaps(change: Partial<Machine>): string[] {
  return report(change)
    .split('\n')
    .filter((line) => !line.startsWith(' ✓') && line !== '' && !/^[A-Z]+$/.test(line))
    .map((line) => line.trim().replaceAll(/ {2,}/g, '  '));
}

t.test('where all is well, one line a thing and the verdict', async (t) => {
  t.equal(
    report({}),
    `MACHINE
 ✓  Linux                                  6.8.0-31-generic, Ubuntu 24.04 LTS
 ✓  Node                                   24.1.0
 ✓  neighbour table                        16384 entries, all labs together

PERMISSION
 ✓  namespaces of a lab                    as root

KERNEL
 ✓  network namespaces
 ✓  veth pairs
 ✓  isolated bridge ports that answer ARP
 ✓  nft bridge table

TOOLS
 ✓  ip                                     6.1.0
 ✓  unshare                                2.39.3

OPTIONAL
 ✓  overlay on /etc
 ✓  tc netem

labs run here as root`,
  );
});

const ANN = { uid: 1000, user: 'ann' };

t.test("Ubuntu's AppArmor restriction is named, with what lifts it", async (t) => {
  const sysctls = { 'kernel.apparmor_restrict_unprivileged_userns': '1' };
  const tried = { mounts: 'mount: /: permission denied.' };
  t.strictSame(gaps({ ...ANN, sysctls, tried }), [
    "✗  user namespaces, Ubuntu's AppArmor restriction  kernel.apparmor_restrict_unprivileged_userns=1",
    'costs  no lab as an ordinary user',
    'mend  sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0; or an AppArmor profile that allows unshare `userns`; or run as root: sudo npx hoplab …',
    'labs do not run here as ann',
  ]);
  t.strictSame(gaps({ ...ANN, sysctls }), ['labs run here as ann'], 'with a profile it works');
  t.strictSame(gaps({ sysctls, uid: 0 }), ['labs run here as root']);
});

t.test('a user without subordinate ids is told how to get some', async (t) => {
  const without = { ...ANN, subuid: '', subgid: '', tried: {}, namespaces: 'unshare: no line' };
  t.strictSame(gaps(without), [
    '✗  subordinate ids  no range in /etc/subuid and /etc/subgid',
    'costs  no lab as an ordinary user',
    'mend  sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ann',
    'labs do not run here as ann',
  ]);
});

t.test("a switch of Debian's and an old util-linux are named together", async (t) => {
  const tools = [{ command: 'unshare', package: 'util-linux', isThere: true, version: '2.37.2' }];
  const sysctls = { 'kernel.unprivileged_userns_clone': '0' };
  t.strictSame(gaps({ ...ANN, tools, sysctls, tried: {}, namespaces: 'unshare: failed' }), [
    '✗  user namespaces  kernel.unprivileged_userns_clone=0',
    'costs  no lab as an ordinary user',
    'mend  sudo sysctl kernel.unprivileged_userns_clone=1; or run as root',
    '✗  unshare --map-auto  util-linux 2.37.2',
    'costs  no lab as an ordinary user',
    'mend  util-linux 2.38 or newer (Debian 12, Ubuntu 24.04, RHEL 10); or run as root',
    'labs do not run here as ann',
  ]);
});

t.test('a kernel without the nft bridge family runs no lab', async (t) => {
  const said = 'Error: Could not process rule: Operation not supported';
  const tried = { ...machine().tried, 'nft-bridge': said };
  const lines = (mend: string): string[] => [
    `✗  nft bridge table  ${said}`,
    'costs  no source/destination check, no isolation within a subnet: no lab',
    `mend  ${mend}`,
    'labs do not run here as root',
  ];
  t.strictSame(
    gaps({ tried }),
    lines(
      "sudo modprobe -a nf_tables nf_tables_bridge; or a kernel that has them, as the Vagrant machine's",
    ),
  );
  t.strictSame(
    gaps({ tried, kernel: '5.15.153.1-microsoft-standard-WSL2' }),
    lines(
      'WSL2\'s own kernel has no nft bridge family: give it one that does (.wslconfig, kernel=…), or: vagrant up (README.md, "Two commands"): a Debian machine with all of it',
    ),
  );
});

t.test('a container without CAP_SYS_ADMIN is told to ask for it', async (t) => {
  const namespaces = 'unshare: unshare failed: Operation not permitted';
  t.strictSame(gaps({ container: 'docker', namespaces, tried: {} }), [
    `✗  namespaces of a lab  ${namespaces}`,
    'costs  no lab',
    'mend  a container needs CAP_SYS_ADMIN and CAP_NET_ADMIN: docker run --privileged; else use the Vagrant machine',
    'labs do not run here as root',
  ]);
  t.strictSame(gaps({ tried: { ...machine().tried, proc: 'mount: /proc: denied' } }), [
    '✗  /proc and /sys of its own  mount: /proc: denied',
    "costs  a lab would see the machine's processes and links: no lab",
    'mend  a container masks parts of /proc: docker run --privileged, or --security-opt systempaths=unconfined',
    'labs do not run here as root',
  ]);
});

t.test('without Linux there is one finding, and the way round it', async (t) => {
  const mac = parseMachine('', 'darwin', '24.1.0');
  t.equal(
    renderDoctor(mac, judgeMachine(mac)),
    `MACHINE
 ✗  Linux  darwin
     costs  a lab is made of Linux network namespaces: no lab; plan, why, validate and graph work
     mend   vagrant up (README.md, "Two commands"): a Debian machine with all of it

labs do not run here`,
  );
});

t.test('old versions and missing tools; one command brings all of these', async (t) => {
  const tools = [
    { command: 'nft', package: 'nftables', isThere: false, version: '' },
    { command: 'tcpdump', package: 'tcpdump', isThere: false, version: '' },
    { command: 'newuidmap', package: 'uidmap', isThere: false, version: '' },
  ];
  t.strictSame(gaps({ tools, node: '20.9.0', kernel: '5.10.0-28-amd64' }), [
    '✗  Linux  5.10.0-28-amd64, Ubuntu 24.04 LTS',
    'costs  labs are made for Linux 5.11 or newer: no lab',
    'mend  vagrant up (README.md, "Two commands"): a Debian machine with all of it',
    '✗  Node  20.9.0',
    'costs  it does not run TypeScript: no command of Hoplab works',
    'mend  Node 22.18 or newer; npx hoplab and npm run lab bring one from npm by themselves',
    '✗  nft  not found',
    'costs  no source/destination check, no security groups: no lab',
    '✗  tcpdump  not found',
    'costs  no probe has a path: no lab',
    'mend  sudo apt-get install -y --no-install-recommends nftables tcpdump',
    'labs do not run here as root',
  ]);
  const mend = judgeMachine(machine({ ...ANN, tools, like: ['arch'] })).findings.at(-3)?.mend;
  t.equal(mend, 'your package manager; Debian calls them: nftables tcpdump uidmap');
});

t.test('optional gaps and a small neighbour table keep no lab from running', async (t) => {
  const sysctls = { 'net.ipv4.neigh.default.gc_thresh3': '1024' };
  const tried = { ...machine().tried, netem: 'Error: Specified qdisc kind is unknown.' };
  t.strictSame(gaps({ sysctls, tried }), [
    '–  neighbour table  1024 entries, all labs together',
    'costs  labs of about 1024 pods and more: "No buffer space available", on the machine too',
    'mend  sudo sysctl net.ipv4.neigh.default.gc_thresh3=16384',
    '–  tc netem  Error: Specified qdisc kind is unknown.',
    'costs  no delay or loss on a link; no lab of today asks for it',
    "mend  sudo modprobe -a sch_netem; or a kernel that has them, as the Vagrant machine's",
    'labs run here as root',
  ]);
});

t.test("the script's lines are read back", async (t) => {
  const text =
    'uid\t1000\nuser\tann\nlike\tubuntu debian\ntool.ip\tiproute2 there 6.1.0\ntool.nft\tnftables \ntry.veth\t\ntry.port\tno: such\n';
  const { uid, tools, tried } = parseMachine(text, 'linux', '24.1.0');
  t.strictSame(
    { uid, tools, tried },
    {
      uid: 1000,
      tools: [
        { command: 'ip', package: 'iproute2', isThere: true, version: '6.1.0' },
        { command: 'nft', package: 'nftables', isThere: false, version: '' },
      ],
      tried: { veth: '', port: 'no: such' },
    },
  );
});
