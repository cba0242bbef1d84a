// Each way in that the server has, through the proxy: the dialogue is theirs, and the lane is the same after it.
import { createConnection as createMariadb } from 'mariadb';
import { createConnection } from 'mysql2/promise';
import { describe, expect, test } from 'vitest';
import { isMysql } from '../../server.ts';
import { inEachLane } from '../lanes.ts';
import { fetchPymysql, runPymysql } from '../pymysql.ts';

const missing = await fetchPymysql().catch((error: unknown) => String(error));
if (missing !== undefined) console.error(`SKIPPED: logins of PyMySQL need python3 and pip: ${missing}`);

type Who = { readonly user: string; readonly password?: string };
const insert = 'INSERT INTO orders (id) VALUES (1)';
/** Who the server says came in, after a row was written. */
type Come = (
  place: Who & { readonly host: string; readonly port: number; readonly database: string },
) => Promise<string>;

const drivers: Readonly<Record<string, Come>> = {
  async mysql2(place) {
    const client = await createConnection(place);
    await client.query(insert);
    const [rows] = await client.query('SELECT CURRENT_USER() AS user');
    await client.end();
    return (rows as { user: string }[])[0]?.user ?? '';
  },
  async mariadb(place) {
    const client = await createMariadb({ ...place, allowPublicKeyRetrieval: true });
    await client.query(insert);
    const [row] = await client.query('SELECT CURRENT_USER() AS user');
    await client.end();
    return row.user;
  },
  async pymysql({ password = '', ...place }) {
    const given = [[insert]];
    const seen = (await runPymysql('session', { ...place, password, given })) as {
      errno?: number;
      user?: string;
      message?: string;
    };
    if (seen.errno !== undefined) throw Object.assign(new Error(seen.message), { errno: seen.errno });
    return seen.user ?? '';
  },
};

describe('a client comes in', () => {
  inEachLane((lane) => {
    const place = (who: Who) => ({ host: '127.0.0.1', port: lane().stage.port, database: 'app', ...who });
    const create = async (user: string, how: string) => {
      const root = await lane().stage.direct();
      await root.query(`DROP USER IF EXISTS ${user}`);
      await root.query(`CREATE USER ${user} ${how}`);
      await root.query(`GRANT ALL ON app.* TO ${user}`);
      root.destroy();
    };
    const password = `pass word $1'"\\`;
    const each = Object.entries(drivers).map(([driver, come]) => ({ driver, come }));

    describe.each(each)('by $driver', ({ driver, come }) => {
      const isSkipped = driver === 'pymysql' && missing !== undefined;

      test.skipIf(isSkipped)('without a password', async () => {
        await create('nobody', "IDENTIFIED BY ''");
        expect(await come(place({ user: 'nobody' }))).toBe('nobody@%');
        await lane().holds([1]);
      });

      test.skipIf(isSkipped)('with a password', async () => {
        const root = await lane().stage.direct();
        const secret = root.escape(password);
        // A MySQL of today has caching_sha2_password alone.
        await create(
          'native',
          isMysql ? `IDENTIFIED BY ${secret}` : `IDENTIFIED VIA mysql_native_password USING PASSWORD(${secret})`,
        );
        expect(await come(place({ user: 'native', password }))).toBe('native@%');
        await lane().holds([1]);
      });

      test.skipIf(isSkipped)('and is told by the server where it is not let in', async () => {
        await create('native', "IDENTIFIED BY 'right'");
        const denied = { errno: 1045, message: expect.stringMatching(/Access denied for user 'native'@/) };
        await expect(come(place({ user: 'native', password: 'wrong' }))).rejects.toMatchObject(denied);
        await expect(come(place({ user: 'native' }))).rejects.toMatchObject({ errno: 1045 });
        await expect(
          come({ ...place({ user: 'native', password: 'right' }), database: 'absent' }),
        ).rejects.toMatchObject({
          errno: expect.toSatisfy((errno: number) => errno === 1044 || errno === 1049),
        });
        expect(await come(place({ user: 'native', password: 'right' }))).toBe('native@%');
        await lane().holds([1]);
      });
    });

    // The one of these drivers that knows it.
    test('with ed25519, where the server has it', async ({ skip }) => {
      const root = await lane().stage.direct();
      const found = await root.query("INSTALL SONAME 'auth_ed25519'").then(
        () => true,
        ({ errno }) => errno === 1968,
      );
      if (!found) console.error('SKIPPED: a login with ed25519 needs the plugin auth_ed25519 of the server');
      skip(!found, 'the server lacks auth_ed25519');
      await create('edward', `IDENTIFIED VIA ed25519 USING PASSWORD(${root.escape(password)})`);
      const come = drivers['mariadb'] as Come;
      expect(await come(place({ user: 'edward', password }))).toBe('edward@%');
      await expect(come(place({ user: 'edward', password: 'wrong' }))).rejects.toMatchObject({ errno: 1045 });
      await lane().holds([1]);
    });

    test('as another by a change of user, and is told where it may not', async () => {
      await create('native', "IDENTIFIED BY 'right'");
      const client = await lane().stage.connect();
      await client.changeUser({ user: 'native', password: 'right', database: 'app' });
      await client.execute(insert);
      expect((await client.query('SELECT CURRENT_USER() AS user'))[0]).toEqual([{ user: 'native@%' }]);
      await lane().holds([1]);
      await expect(client.changeUser({ user: 'native', password: 'wrong' })).rejects.toMatchObject({ errno: 1045 });
    });
  });
});
