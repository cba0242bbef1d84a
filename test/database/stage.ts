// A real server with base and shadow tables, a proxy before it, and clients of both.
import { type Connection, type ConnectionOptions, createConnection } from 'mysql2/promise';
import { pino } from 'pino';
import type { DatabaseEvent, ProxyOptions } from '../../src/database/options.ts';
import { type DatabaseProxy, openProxy } from '../../src/database/proxy.ts';
import { compileShadows } from '../../src/shadow/compile.ts';
import type { ShadowMap } from '../../src/shadow/map.ts';
import { type Label, parseLabel } from '../../src/traffic/label.ts';
import { rulesOf } from '../rules/fixture.ts';
import { type Server, startServer } from './server.ts';

export type StageOptions = Partial<Omit<ProxyOptions, 'labels' | 'shadows'>> & {
  readonly labels?: readonly string[];
  /** Rules in YAML; the article's shadow table by default. */
  readonly rules?: string;
  /** One that runs already, for several stages. */
  readonly server?: Server;
  /** What is run before, as root. */
  readonly sql?: readonly string[];
};

export type Stage = {
  readonly server: Server;
  readonly proxy: DatabaseProxy;
  readonly port: number;
  readonly events: DatabaseEvent[];
  /** Rules change. */
  setRules(text: string): void;
  /** Through the proxy; closed with the stage. */
  connect(options?: ConnectionOptions): Promise<Connection>;
  /** To the server itself. */
  direct(options?: ConnectionOptions): Promise<Connection>;
  /** Rows of a table, by one column, without the proxy. */
  column(text: string): Promise<readonly unknown[]>;
  close(): Promise<void>;
};

export const shadowTable = `
apiVersion: traffic.opensergo.io/v1alpha1
kind: WorkloadLabelRule
metadata: { name: orders }
spec:
  workloadLabels: ['gray']
  selector: { db: app, table: orders_gray }
`;

type Place = Pick<Server, 'address' | 'port'>;

const endpoint = (name: string, { address, port }: Place, database: string) => `---
apiVersion: database.opensergo.io/v1alpha1
kind: DatabaseEndpoint
metadata: { name: ${name} }
spec: { database: { MySQL: { url: 'jdbc:mysql://${address}:${port}/${database}', username: root } } }
`;

/** What is in app is in app_gray of another server for gray. */
export const ownServerRules = (
  base: Place,
  other: Place,
) => `${endpoint('ds', base, 'app')}${endpoint('gray-ds', other, 'app_gray')}---
apiVersion: database.opensergo.io/v1alpha1
kind: Shadow
metadata: { name: app }
spec:
  workloadLabels: [gray]
  dataSources: { app: { sourceDataSourceName: ds, shadowDataSourceName: gray-ds } }
`;

export const noRules = '';

/** Tables of base, and the shadow of one. */
export const tables = [
  'DROP DATABASE IF EXISTS app',
  'CREATE DATABASE app',
  'CREATE TABLE app.orders (id INT PRIMARY KEY, name VARCHAR(200))',
  'CREATE TABLE app.orders_gray LIKE app.orders',
  'CREATE TABLE app.items (id INT PRIMARY KEY, name VARCHAR(200))',
];

/** A derived table of the numbers from 1 to this one, as `seq`, on any server. */
export function numbers(upTo: number): string {
  const digits = [...String(upTo)].map((_, at) => `d${at}`);
  const digit = [...'0123456789'].map((each) => `SELECT ${each}${each === '0' ? ' AS n' : ''}`).join(' UNION ALL ');
  const sum = digits.map((name, at) => `${name}.n * ${10 ** at}`).join(' + ');
  const all = `SELECT 1 + ${sum} AS seq FROM ${digits.map((name) => `(${digit}) AS ${name}`).join()}`;
  return `(${all} HAVING seq <= ${upTo}) AS numbers`;
}

export async function startStage(options: StageOptions = {}): Promise<Stage> {
  const { labels = [], rules = shadowTable, sql = tables, server = await startServer(), ...more } = options;
  const events: DatabaseEvent[] = [];
  const own = labels.map(label);
  const connections: Connection[] = [];
  let shadows: ShadowMap = compileShadows(rulesOf(rules));
  const direct = async (given: ConnectionOptions = {}) => {
    const { address: host, port } = server;
    const connection = await createConnection({ host, port, user: 'root', ...given });
    connections.push(connection);
    return connection;
  };
  const root = await direct();
  for (const each of sql) await root.query(each);
  const given: ProxyOptions = {
    listen: { address: '127.0.0.1', port: 0 },
    upstream: { host: server.address, port: server.port },
    labels: () => own,
    shadows: () => shadows,
    isRemembering: () => false,
    recall: () => Promise.resolve({ outcome: 'none' }),
    unattributed: { writes: 'refuse', reads: 'base' },
    definitions: 'refuse',
    maxStatementBytes: 8 << 20,
    tls: { mode: 'strip' },
    count: (event) => events.push(event),
    log: pino({ level: process.env['LOG'] ?? 'silent' }),
    ...more,
  };
  const proxy = await openProxy(given);
  const port = proxy.port ?? 0;
  return {
    server,
    proxy,
    port,
    events,
    setRules(text) {
      shadows = compileShadows(rulesOf(text));
    },
    async connect(given = {}) {
      const connection = await createConnection({ host: '127.0.0.1', port, user: 'root', database: 'app', ...given });
      connection.on('error', () => {});
      connections.push(connection);
      return connection;
    },
    direct,
    async column(text) {
      const [rows] = await root.query({ sql: text, rowsAsArray: true });
      return (rows as unknown[][]).map(([first]) => first);
    },
    async close() {
      for (const connection of connections) connection.destroy();
      await proxy.close();
      if (options.server === undefined) await server.remove();
    },
  };
}

export function label(text: string): Label {
  const found = parseLabel(text);
  if (found === undefined) throw new Error(`${text} is no label`);
  return found;
}
