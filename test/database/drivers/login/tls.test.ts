// Drivers that want TLS, of a proxy that ends it with a certificate of its own, and of one that does not offer it.
import { createConnection as createMariadb } from 'mariadb';
import { createConnection } from 'mysql2/promise';
import { afterAll, describe, expect, test } from 'vitest';
import { makeCertificates } from '../../certificates.ts';
import { inEachLane } from '../lanes.ts';
import { fetchPymysql, runPymysql } from '../pymysql.ts';

const missing = await fetchPymysql().catch((error: unknown) => String(error));
if (missing !== undefined) console.error(`SKIPPED: PyMySQL with TLS needs python3 and pip: ${missing}`);

const { path, text: file, remove } = makeCertificates(['server', 'proxy']);
afterAll(remove);

type Session = { readonly secret: boolean; readonly size: number };
type Place = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
};
/** Writes a row of a megabyte, over TLS to whom this authority has signed, and reads it. */
type Meet = (place: Place, authority: string) => Promise<Session>;

const body = Buffer.alloc(1 << 20, 'orders');
const insert = 'INSERT INTO orders (id, body) VALUES (1, ?)';
const select = 'SELECT LENGTH(body) AS size FROM orders';
const status = "SHOW STATUS LIKE 'Ssl_cipher'";

const drivers: Readonly<Record<string, Meet>> = {
  async mysql2(place, authority) {
    const client = await createConnection({ ...place, ssl: { ca: file(authority), verifyIdentity: false } });
    await client.query(insert, [body]);
    const [[cipher]] = (await client.query(status)) as unknown as [{ Value: string }[]];
    const [[row]] = (await client.execute(select)) as unknown as [{ size: number }[]];
    await client.end();
    return { secret: cipher?.Value !== '', size: row?.size ?? 0 };
  },
  async mariadb(place, authority) {
    const client = await createMariadb({ ...place, ssl: { ca: file(authority) } });
    await client.execute(insert, [body]);
    const [cipher] = await client.query(status);
    const [row] = await client.query(select);
    await client.end();
    return { secret: cipher.Value !== '', size: Number(row.size) };
  },
  async pymysql(place, authority) {
    const texts = [insert.replace('?', `REPEAT('x', ${1 << 20})`)];
    const seen = (await runPymysql('session', { ...place, ssl: path(authority), given: [texts] })) as {
      errno?: number;
      message?: string;
      secret: boolean;
    };
    if (seen.errno !== undefined) throw Object.assign(new Error(seen.message), { errno: seen.errno });
    return { secret: seen.secret, size: 1 << 20 };
  },
};

const each = Object.entries(drivers).map(([driver, meet]) => ({ driver, meet }));
const isSkipped = (driver: string) => driver === 'pymysql' && missing !== undefined;
const flags = [`--ssl-cert=${path('server.crt')}`, `--ssl-key=${path('server.key')}`];
const create = ['DROP USER IF EXISTS secretive', "CREATE USER secretive IDENTIFIED BY 'secret' REQUIRE SSL"];

describe('where TLS is terminated', () => {
  const tls = {
    mode: 'terminate' as const,
    certificate: file('proxy.crt'),
    key: file('proxy.key'),
    authority: file('server.crt'),
  };
  inEachLane(
    (lane) => {
      const place = async (): Promise<Place> => {
        const root = await lane().stage.direct();
        for (const sql of [...create, 'GRANT ALL ON app.* TO secretive']) await root.query(sql);
        const { port } = lane().stage;
        return { host: '127.0.0.1', port, user: 'secretive', password: 'secret', database: 'app' };
      };

      describe.each(each)('$driver', ({ driver, meet }) => {
        test.skipIf(isSkipped(driver))('speaks in secret, up to the server', async () => {
          expect(await meet(await place(), 'proxy.crt')).toEqual({ secret: true, size: 1 << 20 });
          await lane().holds([1]);
        });

        test.skipIf(isSkipped(driver))('does not speak to whom it does not trust', async () => {
          await expect(meet(await place(), 'server.crt')).rejects.toThrow(/certificate verify failed|self-signed/);
          await lane().holds([]);
        });
      });

      test('is told by the server where it should speak in secret, and does not', async () => {
        const { password, user } = await place();
        await expect(lane().stage.connect({ user, password })).rejects.toMatchObject({ errno: 1045 });
      });
    },
    { flags, tls },
  );
});

describe('where TLS is not offered', () => {
  const says: readonly (readonly [string, RegExp])[] = [
    ['mysql2', /Server does not support secure connection/],
    ['mariadb', /ssl not enabled in the server/],
  ];
  inEachLane(
    (lane) => {
      const place = () => ({ ...root, port: lane().stage.port });
      const root = { host: '127.0.0.1', user: 'root', password: '', database: 'app' };

      test.each(says)('%s, which demands it, says so itself', async (driver, message) => {
        await expect(drivers[driver]?.(place(), 'server.crt')).rejects.toThrow(message);
        await lane().holds([]);
      });

      test.skipIf(missing !== undefined)('PyMySQL, which only asks for it, comes in without', async () => {
        const given = ['INSERT INTO orders (id) VALUES (1)'];
        const seen = await runPymysql('session', {
          ...place(),
          ssl: path('server.crt'),
          read_timeout: 2,
          given: [given],
        });
        expect(seen).toMatchObject({ secret: false });
        await lane().holds([1]);
      });
    },
    { flags },
  );
});
