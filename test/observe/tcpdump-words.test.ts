import t from 'tap';

import { filterOfLinks, readHeadLine, readTcpdumpWords } from '../../src/observe/tcpdump-words.ts';

const read = (line: string) => readTcpdumpWords(line === '' ? [] : line.split(' '));

t.test('a filter is handed on as it is, behind options that change the text alone', async (t) => {
  t.strictSame(read(''), { options: [], filter: '', refused: [] });
  t.strictSame(read('tcp port 80'), { options: [], filter: 'tcp port 80', refused: [] });
  t.strictSame(read('-e -vv -nn (icmp or arp)'), {
    options: ['-e', '-vv', '-nn'],
    filter: '(icmp or arp)',
    refused: [],
  });
  t.strictSame(read('tcp[13] - 2 = 0').filter, 'tcp[13] - 2 = 0');
});

t.test('options that would change where or what is captured are refused', async (t) => {
  t.strictSame(read('-i eth0 icmp').refused, ['-i']);
  t.strictSame(read('-e -w x').refused, ['-w']);
  t.strictSame(read('-c3 icmp').refused, ['-c3']);
});

t.test('a filter narrows what comes by the links that one listens at', async (t) => {
  t.equal(filterOfLinks([2], ''), 'ifindex 2');
  t.equal(filterOfLinks([2, 7], 'icmp or arp'), '(ifindex 2 or ifindex 7) and (icmp or arp)');
});

t.test("a packet's first line is known by its number", async (t) => {
  const line = '    7  11:31:49.997114 eth0  In  IP 10.0.3.50 > 198.51.100.10: ICMP echo request';
  t.strictSame(readHeadLine(line, 7), {
    time: '11:31:49.997114',
    text: 'IP 10.0.3.50 > 198.51.100.10: ICMP echo request',
  });
  t.equal(readHeadLine(line, 8), undefined);
  t.equal(readHeadLine('\t0x0000:  4500 0054 436d 4000', 8), undefined);
  t.equal(readHeadLine('    10.0.3.50 > 198.51.100.10: ICMP echo request', 8), undefined);
});
