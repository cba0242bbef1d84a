import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stage, startStage } from '../stage.ts';

describe('a temporary table of a label', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage({ labels: ['gray'] });
  });
  afterAll(() => stage?.close());

  test('may be written, without a shadow, for as long as it is there', async () => {
    const client = await stage.connect();
    await client.query('create temporary table items (id int)');
    await client.query('insert into items values (1)');
    const [rows] = await client.query({ sql: 'select count(*) from items', rowsAsArray: true });
    expect(rows).toEqual([[1]]);
    await client.query('drop temporary table items');
    await expect(client.query("insert into items values (2, 'x')")).rejects.toThrow(/^lanekeeper: no-shadow/);
    expect(await stage.column('select id from app.items')).toEqual([]);
  });

  test('is forgotten with what is dropped beside it in one text, and with the session', async () => {
    const client = await stage.connect({ multipleStatements: true });
    await client.query('create temporary table items (id int); insert into items values (1); drop table items');
    await expect(client.query("insert into items values (2, 'x')")).rejects.toThrow(/^lanekeeper: no-shadow/);
    await client.query('create temporary table items (id int)');
    await client.changeUser({ user: 'root', database: 'app' });
    await expect(client.query("insert into items values (2, 'x')")).rejects.toThrow(/^lanekeeper: no-shadow/);
    expect(await stage.column('select id from app.items')).toEqual([]);
  });
});
