// What may import what: src/ as a drawing of one direction.
import { dirname, join } from 'node:path/posix';

type Place = {
  /** Folders and top-level files that it may import, besides itself. */
  readonly imports: readonly string[];
  /** No `node:` module, and no package but those of `packages`. */
  readonly pure?: true;
};

/** Every folder and top-level file of src, from the bottom up. */
export const places: Readonly<Record<string, Place>> = {
  'problem.ts': { imports: [] },
  traffic: { imports: ['problem.ts'], pure: true },
  documents: { imports: ['problem.ts'], pure: true },
  rules: { imports: ['documents', 'traffic', 'problem.ts'], pure: true },
  propagation: { imports: ['traffic'], pure: true },
  sql: { imports: [], pure: true },
  shadow: { imports: ['sql', 'rules', 'documents', 'traffic', 'problem.ts'], pure: true },
  mesh: { imports: ['shadow', 'rules', 'documents', 'traffic', 'problem.ts'], pure: true },
  decision: { imports: ['mesh', 'rules', 'propagation', 'traffic'], pure: true },
  envoy: { imports: ['mesh', 'rules', 'propagation', 'traffic', 'problem.ts'], pure: true },
  database: { imports: ['shadow', 'rules', 'sql', 'propagation', 'traffic', 'problem.ts'] },
  'metrics.ts': { imports: ['database', 'decision', 'propagation', 'traffic'] },
  xds: { imports: ['envoy'] },
  extproc: { imports: ['decision', 'propagation', 'rules', 'traffic'] },
  sources: { imports: ['documents', 'mesh', 'rules', 'traffic', 'problem.ts'] },
  supervisor: { imports: ['problem.ts'] },
  admin: { imports: ['metrics.ts', 'problem.ts'] },
  settings: { imports: ['envoy', 'mesh', 'traffic', 'problem.ts'] },
  redirect: { imports: ['settings', 'mesh', 'problem.ts'] },
  sidecar: {
    imports: [
      ...['admin', 'decision', 'envoy', 'extproc', 'mesh', 'propagation', 'rules', 'settings', 'sources', 'supervisor'],
      ...['shadow', 'database', 'traffic', 'xds', 'metrics.ts', 'problem.ts'],
    ],
  },
  demo: { imports: ['supervisor', 'problem.ts'] },
  explain: { imports: ['decision', 'envoy', 'mesh', 'propagation', 'rules', 'traffic'] },
  cli: {
    imports: [
      ...[
        'admin',
        'decision',
        'demo',
        'explain',
        'envoy',
        'extproc',
        'mesh',
        'propagation',
        'redirect',
        'rules',
        'settings',
        'sources',
      ],
      ...['sql', 'shadow', 'database'],
      ...['supervisor', 'traffic', 'sidecar', 'metrics.ts', 'problem.ts'],
    ],
  },
  'main.ts': { imports: ['cli'] },
};

/** The files of pure folders that may import a package, because they turn text into documents. */
export const packages: Readonly<Record<string, RegExp>> = {
  yaml: /^documents\/parse\.ts$/,
  re2js: /^rules\/conditions\/pattern\.ts$/,
  zod: /^documents\/validate\.ts$|^rules\/compile\.ts$|^rules\/written\/(document|database)\.ts$|^mesh\/document\.ts$|^mesh\/kubernetes\/document\.ts$/,
};

/** One line for each import that the drawing does not have. Files by their path in src. */
export function violations(files: ReadonlyMap<string, string>): string[] {
  return [...files].flatMap(([file, text]) => {
    const here = placeOf(file);
    const place = places[here];
    if (place === undefined) return [`${file}: ${here} is in no place of the architecture`];
    return importsOf(text).flatMap((specifier) => {
      const why = specifier.startsWith('.')
        ? whyNotFile(here, place, join(dirname(file), specifier))
        : whyNotPackage(file, place, specifier);
      return why === undefined ? [] : [`${file} imports ${specifier}: ${why}`];
    });
  });
}

function whyNotFile(here: string, place: Place, target: string): string | undefined {
  const there = placeOf(target);
  if (target.startsWith('..')) return 'src imports nothing outside of src';
  if (there === here || place.imports.includes(there)) return undefined;
  return `${here} may import ${place.imports.join(', ') || 'nothing'}`;
}

function whyNotPackage(file: string, place: Place, specifier: string): string | undefined {
  if (!place.pure || packages[specifier]?.test(file)) return undefined;
  return `${placeOf(file)} is pure`;
}

function placeOf(file: string): string {
  return file.split('/')[0] ?? file;
}

/** What a file imports: by `import … from`, `export … from`, `import '…'` or `import('…')`; types too. */
export function importsOf(text: string): string[] {
  const code = text.replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  const statement = /^\s*(?:import|export)\s(?:[\w$\s{},*]+?\sfrom\s*)?['"]([^'"\n]+)['"]/gm;
  const call = /\bimport\(\s*['"`]([^'"`\n]+)['"`]/g;
  return [statement, call].flatMap((pattern) => [...code.matchAll(pattern)].map(([, specifier = '']) => specifier));
}
