/**
 * Certificates by openssl(1): keys are made where they are used, once, and never leave the sandbox. The authority is there
 * from the first certificate on until the lab goes, so that what a client trusts once it trusts always.
 */

import type { Command } from './command.ts';
import type { Step } from './diff.ts';
import type { Certificate } from './state.ts';

const KEY = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
/** As kubeadm makes an authority and what it signs. In days. */
const AUTHORITY_DAYS = 3650;
const DAYS = 365;
const AUTHORITY_NAME = 'kubernetes';

export function renderCertificates(steps: readonly Step[]): Command[] {
  const commands: Command[] = [];
  const wanted = new Map<
    string,
    { certificate: Certificate; because: Step['planned']['because'] }[]
  >();
  for (const { action, planned } of steps) {
    const { object: certificate, because } = planned;
    if (certificate.kind !== 'certificate') continue;
    if (action === 'remove') {
      commands.push({ phase: 2, shell: `rm -f ${certificate.path}`, because });
      continue;
    }
    const key = certificate.authority.certificate;
    wanted.set(key, [...(wanted.get(key) ?? []), { certificate, because }]);
  }
  for (const list of wanted.values()) {
    const [first] = list;
    if (first === undefined) continue;
    const parts = [
      'umask 077',
      ...makeAuthority(first.certificate),
      ...list.flatMap((one) => makeCertificate(one.certificate)),
    ];
    // In a shell of its own: what comes after it in the same shell is not for root's eyes alone.
    commands.push({ phase: 2, shell: `(${parts.join(' && ')})`, because: first.because });
  }
  return commands;
}

function makeAuthority({ authority }: Certificate): string[] {
  const { certificate, key } = authority;
  const make = `openssl req -x509 ${KEY} -keyout ${key} -out ${certificate}.new -days ${AUTHORITY_DAYS} -subj /CN=${AUTHORITY_NAME}`;
  return [
    `mkdir -p ${directoryOf(certificate)} ${directoryOf(key)}`,
    // A name that is there is a whole file.
    `{ [ -e ${certificate} ] || { ${make} && mv ${certificate}.new ${certificate}; }; }`,
  ];
}

function makeCertificate({ path, authority, names }: Certificate): string[] {
  const name = (names[0] ?? '').replace(/^\w+:/, '');
  const signed = `-CA ${authority.certificate} -CAkey ${authority.key}`;
  return [
    `mkdir -p ${directoryOf(path)}`,
    `openssl req -x509 ${KEY} ${signed} -keyout ${path}.key -out ${path}.crt -days ${DAYS} -subj /CN=${name.slice(0, 64)} -addext subjectAltName=${names.join(',')} -addext basicConstraints=critical,CA:FALSE`,
    `{ echo '${MARK}${names.join(' ')}'; cat ${path}.crt ${path}.key; } >${path}.new`,
    `rm ${path}.crt ${path}.key`,
    `mv ${path}.new ${path}`,
  ];
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/** PEM's readers skip what stands before it. */
const MARK = '# ';

/** Whom a certificate names, by the first line of its file. */
export function namesOfCertificate(line: string): string[] {
  return line.startsWith(MARK) ? line.slice(MARK.length).trim().split(' ') : [];
}
