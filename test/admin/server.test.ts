import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AdminServer, openAdmin } from '../../src/admin/server.ts';
import type { Problem } from '../../src/problem.ts';
import { type Answer, call } from '../envoy/application.ts';

let admin: AdminServer;
let waitingFor: string | undefined;
let problems: Problem[];
let metrics: () => Promise<string>;

beforeEach(async () => {
  waitingFor = undefined;
  problems = [];
  metrics = async () => 'a_total 1';
  admin = await open(0);
});
afterEach(() => admin.close());

function open(port: number): Promise<AdminServer> {
  return openAdmin({
    address: '127.0.0.1',
    port,
    notReady: async () => waitingFor,
    metrics: () => metrics(),
    problems: () => problems,
  });
}

async function get(path: string, method = 'GET'): Promise<[number, string]> {
  const { status, body } = await ask(path, method);
  return [status, body];
}

function ask(path: string, method = 'GET'): Promise<Answer> {
  return call(admin.port, { path, method });
}

test('/live is answered for as long as the process answers at all, ready or not', async () => {
  waitingFor = 'Envoy is down';
  expect(await get('/live')).toEqual([200, 'live\n']);
});

test('/ready says what is waited for, and each time anew', async () => {
  expect(await get('/ready')).toEqual([200, 'ready\n']);
  waitingFor = 'Envoy is down';
  expect(await get('/ready')).toEqual([503, 'Envoy is down\n']);
  waitingFor = undefined;
  expect(await get('/ready')).toEqual([200, 'ready\n']);
});

test('/metrics is what Prometheus takes', async () => {
  const { status, headers, body } = await ask('/metrics');
  expect([status, headers['content-type'], body]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
    'a_total 1\n',
  ]);
});

test('/problems has a line for each problem, and none without', async () => {
  expect(await get('/problems')).toEqual([200, '\n']);
  problems = [
    { severity: 'error', file: 'a.yaml', line: 1, column: 2, path: 'spec', message: 'found größe' },
    { severity: 'warning', message: 'found nothing' },
  ];
  expect(await get('/problems')).toEqual([200, 'a.yaml:1:2: spec: found größe\nwarning: found nothing\n']);
});

test('a query changes nothing', async () => {
  expect(await get('/live?a=/ready')).toEqual([200, 'live\n']);
});

test('HEAD is answered as GET, without a body', async () => {
  expect(await get('/live', 'HEAD')).toEqual([200, '']);
});

test('another path is answered with those that there are', async () => {
  expect(await get('/')).toEqual([404, 'nothing at /; there are /live, /ready, /metrics and /problems\n']);
  expect((await get('/live/'))[0]).toBe(404);
});

test('another method is refused, and told which are answered', async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const { status, headers, body } = await ask('/live', method);
    expect([status, headers.allow, body]).toEqual([405, 'GET, HEAD', 'only GET is answered here\n']);
  }
});

test('metrics that cannot be had are an error, and the port goes on', async () => {
  metrics = () => Promise.reject(new Error('no Envoy'));
  expect(await get('/metrics')).toEqual([500, 'Error: no Envoy\n']);
  expect(await get('/live')).toEqual([200, 'live\n']);
});

describe('a port', () => {
  test('that is taken is refused', async () => {
    await expect(open(admin.port)).rejects.toThrow(/EADDRINUSE.*127\.0\.0\.1/);
  });

  test('that was closed is free again, also where a connection was open', async () => {
    const connection = connect(admin.port, '127.0.0.1');
    const ended = new Promise((resolve) => connection.once('close', resolve));
    await new Promise((resolve) => connection.once('connect', resolve));
    await admin.close();
    await ended;
    admin = await open(admin.port);
    expect(await get('/live')).toEqual([200, 'live\n']);
  });
});
