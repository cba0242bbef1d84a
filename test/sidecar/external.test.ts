import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type ClientUnaryCall, credentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { health } from '../../src/extproc/protocol.ts';
import { parseSettings } from '../../src/settings/settings.ts';
import { startSidecar } from '../../src/sidecar/sidecar.ts';
import { call } from '../envoy/application.ts';

test("with --envoy external lanekeeper only answers: no port of its own but the admin's, no Envoy, ready at once", async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-external-'));
  writeFileSync(join(folder, 'rules.yaml'), '');
  const settings = parseSettings(
    ['--envoy', 'external', '--config', folder, '--run-dir', join(folder, 'run'), '--admin', '0'],
    {},
  );
  if (!settings.ok) throw new Error(JSON.stringify(settings.problems));
  const sidecar = await startSidecar(settings.value, pino({ level: 'silent' }));
  const client = new Client(`unix:${join(folder, 'run', 'extproc.sock')}`, credentials.createInsecure());
  try {
    expect(await call(sidecar.adminPort, { path: '/ready' })).toMatchObject({ status: 200 });
    const check = health['Check'];
    const answer = await new Promise<unknown>(
      (resolve, reject): ClientUnaryCall | undefined =>
        check &&
        client.makeUnaryRequest(check.path, check.requestSerialize, check.responseDeserialize, {}, (error, value) =>
          error ? reject(error) : resolve(value),
        ),
    );
    expect(answer).toEqual({ status: 'SERVING' });
  } finally {
    client.close();
    await sidecar.stop(1_000);
    rmSync(folder, { recursive: true, force: true });
  }
});
