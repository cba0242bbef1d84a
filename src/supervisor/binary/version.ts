// Which Envoy is ours, and what a file says that it is.
import { run } from './machine.ts';

/** The version that everything was measured on; another patch level of it is taken too. */
export const envoyVersion = '1.40.0';

type Version = { readonly version: string } | { readonly why: string };

/** The version in `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`, or why there is none. */
export async function versionOf(file: string): Promise<Version> {
  const { error, stdout } = await run(file, ['--version'], { timeoutMs: 20_000 });
  const version = /version: [^/\s]*\/(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (version !== undefined) return { version };
  return {
    why: error === undefined ? 'a program that is not Envoy' : `nothing that runs (${error.code ?? error.message})`,
  };
}

export function fits(found: Version): boolean {
  return 'version' in found && minor(found.version) === minor(envoyVersion);
}

export function describe(found: Version): string {
  return 'version' in found ? `Envoy ${found.version}` : found.why;
}

export function minor(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}
