// The article's database: its tables, the rule that makes one of them the shadow, and the two SELECTs that prove it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { stringify } from 'yaml';
import { findMariadb } from './install.ts';
import { launchMariadb, type Mariadb } from './launch.ts';

/** `table`: mse_demo_table_gray; `schema`: the database mse-demo-gray; `instance`: a server of its own. */
export const patterns = ['table', 'schema', 'instance'] as const;
export type Pattern = (typeof patterns)[number];

export type ArticleDatabase = {
  /** Of the server of base. */
  readonly port: number;
  /** Folder of the rules about it. */
  readonly rules: string;
  /** The two SELECTs and what they answer; undefined while nothing has changed since the last time. */
  proof(): Promise<string | undefined>;
  stop(): Promise<void>;
};

const database = 'mse-demo';
const table = (name: string) =>
  `CREATE TABLE ${name} (\`id\` int NOT NULL AUTO_INCREMENT, \`location\` varchar(255) DEFAULT NULL, PRIMARY KEY (\`id\`)) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb3`;

/** Resolves when its tables are there. */
export async function startArticleDatabase(options: {
  readonly folder: string;
  readonly pattern: Pattern;
  readonly say: (text: string) => void;
}): Promise<ArticleDatabase> {
  const { folder, pattern, say } = options;
  say('Starting a MariaDB with the tables of the article');
  const installed = await findMariadb();
  const servers: Mariadb[] = [];
  try {
    const launch = async (name: string) => {
      const server = await launchMariadb(installed, { folder: join(folder, name) });
      servers.push(server);
      return server;
    };
    const base = await launch('mariadb');
    const shadow = pattern === 'instance' ? await launch('mariadb-gray') : base;
    const places = {
      base: { server: base, name: `\`${database}\`.mse_demo_table` },
      gray: {
        server: shadow,
        name: {
          table: `\`${database}\`.mse_demo_table_gray`,
          schema: `\`${database}-gray\`.mse_demo_table`,
          instance: `\`${database}\`.mse_demo_table`,
        }[pattern],
      },
    };
    for (const { server, name } of Object.values(places))
      await query(server, [`CREATE DATABASE IF NOT EXISTS ${name.split('.')[0]}`, table(name)]);
    const rules = join(folder, 'database');
    mkdirSync(rules, { recursive: true, mode: 0o700 });
    writeFileSync(join(rules, 'rules.yaml'), rulesOf(pattern, base, shadow));
    let last = '';
    return {
      port: base.port,
      rules,
      async proof() {
        const answers = await Promise.all(
          Object.values(places).map(async ({ server, name }) => {
            const select = `SELECT location, COUNT(*) FROM ${name} GROUP BY location`;
            const rows = await query(server, [select]);
            const found = rows.map(([location, times]) => `${location} ${times}`).join(', ');
            return `  ${select};${server === base ? '' : `   (port ${server.port})`}\n      ${found || 'no rows'}`;
          }),
        );
        const text = answers.join('\n');
        if (text === last) return undefined;
        last = text;
        return text;
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }

  async function stop(): Promise<void> {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** Rows of the last statement. */
async function query({ address, port }: Mariadb, statements: readonly string[]): Promise<unknown[][]> {
  const connection = await createConnection({ host: address, port, user: 'root' });
  try {
    let rows: unknown;
    for (const sql of statements) [rows] = await connection.query<RowDataPacket[][]>({ sql, rowsAsArray: true });
    return Array.isArray(rows) ? rows : [];
  } finally {
    await connection.end();
  }
}

function rulesOf(pattern: Pattern, base: Mariadb, shadow: Mariadb): string {
  if (pattern !== 'instance') {
    const selector = { table: { db: database, table: 'mse_demo_table_gray' }, schema: { db: `${database}-gray` } }[
      pattern
    ];
    return stringify({
      apiVersion: 'traffic.opensergo.io/v1alpha1',
      kind: 'WorkloadLabelRule',
      metadata: { name: 'gray-sts-label-rule' },
      spec: { workloadLabels: ['gray'], selector },
    });
  }
  const document = (kind: string, name: string, spec: object) =>
    stringify({ apiVersion: 'database.opensergo.io/v1alpha1', kind, metadata: { name }, spec });
  const endpoint = (name: string, { address, port }: Mariadb) =>
    document('DatabaseEndpoint', name, {
      database: { MySQL: { url: `jdbc:mysql://${address}:${port}/${database}`, username: 'root', password: '' } },
    });
  const pair = { sourceDataSourceName: 'ds', shadowDataSourceName: 'shadow_ds' };
  return [
    endpoint('ds', base),
    endpoint('shadow_ds', shadow),
    document('Shadow', 'shadow-db', { workloadLabels: ['gray'], dataSources: { pair } }),
  ].join('---\n');
}
