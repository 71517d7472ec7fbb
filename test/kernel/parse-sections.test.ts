import t from 'tap';

import { parseSections } from '../../src/kernel/parse-sections.ts';

const S = '\u001E';

t.test('sections of several namespaces, files whole, servers', async (t) => {
  const texts = [
    `${S}netns a\n${S}ip\n[]\n[]\n${S}nft\n\n${S}proc\nnet/x:1\n${S}file /etc/hosts\none\ntwo\n\n${S}daemon haproxy\nHOPLAB_DIGEST=abc\n${S}end\n`,
    `${S}netns b\n${S}iptables\n*nat\n${S}end\n`,
  ];
  const read = parseSections(texts);
  t.strictSame(
    [...(read?.netns ?? [])],
    [
      ['a', { ip: '[]\n[]', fdb: '', nft: '', iptables: '', ipset: '', proc: 'net/x:1' }],
      ['b', { ip: '', fdb: '', nft: '', iptables: '*nat', ipset: '', proc: '' }],
    ],
  );
  t.strictSame([...(read?.files ?? [])], [['/etc/hosts', 'one\ntwo\n']]);
  t.strictSame([...(read?.daemons ?? [])], [['haproxy', 'HOPLAB_DIGEST=abc']]);
});

t.test('a reader that was cut off has read nothing', async (t) => {
  t.equal(parseSections([`${S}netns a\n${S}ip\n[`, `${S}end\n`]), undefined);
  t.equal(parseSections(['']), undefined);
});
