// The password of a server: written in a rule, or in a file such as a mounted Secret.

import { readFile } from 'node:fs/promises';

export type Secret = { readonly password?: string | undefined; readonly passwordFile: string | undefined };

/** Read anew each time, as secrets are renewed; empty where there is none. Rejects where the file cannot be read. */
export async function passwordOf({ password, passwordFile }: Secret): Promise<string> {
  if (passwordFile === undefined) return password ?? '';
  return (await readFile(passwordFile, 'utf8')).replace(/\r?\n$/, '');
}
