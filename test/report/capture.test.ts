import t from 'tap';

import { ipv4 } from '../../src/base/ip.ts';
import {
  linePrefixes,
  packetToJson,
  renderCaptureSummary,
  renderPlaces,
} from '../../src/report/capture.ts';
import { COLOURED, PLAIN } from '../../src/report/style.ts';

const LISTENED = [
  { place: 'pod/client', link: 'eth0' },
  { place: 'igw', link: 'vpc' },
  { place: 'igw', link: 'internet' },
];

t.test('each place is named once, with its links', async (t) => {
  t.equal(renderPlaces(LISTENED), 'pod/client eth0, igw vpc internet');
});

t.test('prefixes are of one width, in a colour for each place', async (t) => {
  t.strictSame(linePrefixes(LISTENED, PLAIN), [
    'pod/client eth0    ',
    'igw        vpc     ',
    'igw        internet',
  ]);
  const [pod = '', inner = '', outer = ''] = linePrefixes(LISTENED, COLOURED);
  const colour = (text: string): string => text.slice(0, 5);
  t.equal(colour(inner), colour(outer));
  t.not(colour(pod), colour(inner));
});

t.test('the summary says what was seen, what was lost, and where it is', async (t) => {
  const none = { packets: 0, places: 0, dropped: 0, file: undefined };
  t.equal(renderCaptureSummary(none), 'no packets');
  t.equal(
    renderCaptureSummary({ packets: 12, places: 5, dropped: 3, file: 'x.pcapng' }),
    '12 packets at 5 places; 3 dropped by the kernel; written to x.pcapng',
  );
  t.equal(renderCaptureSummary({ ...none, packets: 1, places: 1 }), '1 packet at 1 place');
});

t.test('a packet of JSON has its addresses where it is IPv4, and its text always', async (t) => {
  const packet = {
    interfaceId: 0,
    timeNs: 1_795_520_885_000_000_466n,
    originalBytes: 84,
    bytes: new Uint8Array(),
    direction: 'in',
  } as const;
  const seen = { place: 'igw', link: 'vpc', text: 'ARP, Request', content: undefined };
  const arp = {
    time: '1795520885.000000466',
    place: 'igw',
    interface: 'vpc',
    direction: 'in',
    text: 'ARP, Request',
  };
  t.strictSame(packetToJson(packet, seen), arp);
  const content = {
    protocol: 'tcp',
    source: ipv4('10.0.3.50'),
    destination: ipv4('198.51.100.10'),
    sourcePort: 40_000,
    destinationPort: 80,
    ttl: 64,
    lengthBytes: 60,
  } as const;
  t.strictSame(packetToJson(packet, { ...seen, content }), { ...arp, ...content });
  const ping = { ...content, protocol: 'icmp', sourcePort: 0, destinationPort: 0 } as const;
  const { sourcePort, destinationPort, ...shown } = ping;
  t.strictSame([sourcePort, destinationPort], [0, 0]);
  t.strictSame(packetToJson(packet, { ...seen, content: ping }), { ...arp, ...shown });
});
