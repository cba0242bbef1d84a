import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { envoyAdmin } from '../../src/supervisor/admin.ts';
import { type RouteCounts, refusal, routeCounts } from '../../src/supervisor/routes.ts';
import { call } from '../envoy/application.ts';
import { answering, openStage, type Stage } from './stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage.close());

const fileOf = (name: string) => join(stage.folder, 'routes', `${name}.json`);
const write = (name: string, table: object) => stage.routes.write(new Map([[name, table]]));

describe('a route table', () => {
  test('is swapped whole: who reads the old one reads it to its end', () => {
    const before = readFileSync(fileOf('answers'), 'utf8');
    const reader = openSync(fileOf('answers'), 'r');
    try {
      expect(write('answers', answering('second'))).toEqual(['answers']);
      expect(readFileSync(reader, 'utf8')).toBe(before);
    } finally {
      closeSync(reader);
    }
    expect(JSON.parse(readFileSync(fileOf('answers'), 'utf8')).resources).toEqual([answering('second')]);
    expect(readdirSync(join(stage.folder, 'routes'))).toEqual(['answers.json']);
  });

  test('that does not differ is not written again', () => {
    const { ino } = statSync(fileOf('answers'));
    const tables = new Map([
      ['answers', answering('first')],
      ['other', answering('other')],
    ]);
    expect(stage.routes.write(tables)).toEqual(['other']);
    expect(stage.routes.write(tables)).toEqual([]);
    expect(statSync(fileOf('answers')).ino).toBe(ino);
  });

  test('is removed with its folder, and twice does no harm', () => {
    stage.routes.remove();
    stage.routes.remove();
    expect(existsSync(join(stage.folder, 'routes'))).toBe(false);
  });
});

describe('a real Envoy', () => {
  const invalid = {
    ...answering('third'),
    virtual_hosts: [
      { name: 'all', domains: ['*'] },
      { name: 'all2', domains: ['*'] },
    ],
  };
  const body = async () => (await call(stage.port)).body;
  let admin: ReturnType<typeof envoyAdmin>;
  beforeEach(async () => {
    await stage.start({ backoff: { firstMs: 20, longestMs: 50, forgottenAfterMs: 60_000 } });
    admin = envoyAdmin(stage.options.adminSocket);
  });
  const counts = async () => (await routeCounts(admin)) as RouteCounts;

  test('takes a table that was swapped, and that is seen', async () => {
    expect(await body()).toBe('first');
    const before = await counts();
    expect(await refusal(admin, before, write('answers', answering('second')))).toBeUndefined();
    expect(await body()).toBe('second');
  });

  test('refuses a table that is wrong: it is reported, the earlier one stays, and a right one is taken after it', async () => {
    const before = await counts();
    expect(await refusal(admin, before, write('answers', invalid))).toBe(
      'Envoy refused the routes of answers; the earlier ones stay in force',
    );
    expect(await body()).toBe('first');
    const then = await counts();
    expect(await refusal(admin, then, write('answers', answering('second')))).toBeUndefined();
    expect(await body()).toBe('second');
  });

  test('that has not taken a table within two seconds is reported', async () => {
    const before = await counts();
    expect(await refusal(admin, before, ['no-such-table'])).toBe(
      'Envoy has not taken the routes of no-such-table within 2 s',
    );
  });

  test('that is started again meanwhile has read it, and nothing is reported', async () => {
    const before = await counts();
    for (const pid of stage.envoys()) process.kill(pid, 'SIGKILL');
    await stage.entered('down');
    const written = write('answers', answering('second'));
    const reported = refusal(admin, before, written);
    await stage.entered('ready', 2);
    expect(await reported).toBeUndefined();
    expect(await body()).toBe('second');
  });

  test('that is away says no numbers', async () => {
    expect(await routeCounts(envoyAdmin(join(stage.folder, 'nobody.sock')))).toBeUndefined();
  });
});
