import t from 'tap';

import { parseLogGroups, parseSockets } from '../../src/kernel/parse-sockets.ts';

const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 47 1
   1: 3203000A:1F90 0A64633C:C001 01 00000000:00000000 00:00000000 00000000     0        0 48 1`;
const UDP = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref
  100: 00000000:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 49 2
  101: 3203000A:9C40 0A64633C:0035 01 00000000:00000000 00:00000000 00000000     0        0 50 2`;

t.test('ports that somebody listens on; connections are none', async (t) => {
  t.strictSame(parseSockets('tcp', TCP.split('\n')), ['tcp 8080']);
  t.strictSame(parseSockets('udp', UDP.split('\n')), ['udp 5353']);
  t.strictSame(parseSockets('tcp', []), []);
});

t.test('groups that somebody has bound', async (t) => {
  const lines = [
    '    1     13     0 2   128    100  1',
    '   17 4294962917     0 1     0    100  1',
  ];
  t.strictSame(parseLogGroups(lines), ['nflog 1', 'nflog 17']);
});
