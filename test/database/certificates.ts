// Certificates that vouch for themselves, in a folder of the test's own.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Certificates = {
  /** `NAME.crt`, `NAME.key` */
  path(file: string): string;
  text(file: string): string;
  remove(): void;
};

export function makeCertificates(names: readonly string[]): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-tls-'));
  const path = (file: string) => join(folder, file);
  for (const name of names)
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'],
        ...['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
        ...['-keyout', path(`${name}.key`), '-out', path(`${name}.crt`)],
      ],
      { stdio: 'ignore' },
    );
  return {
    path,
    text: (file) => readFileSync(path(file), 'utf8'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
