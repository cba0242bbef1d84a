import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  externalProcessor,
  health,
  type ProcessingRequest,
  type ProcessingResponse,
} from '../../src/extproc/protocol.ts';

const folder = new URL('../../proto/', import.meta.url);
const roots = [
  'envoy/service/ext_proc/v3/external_processor.proto',
  'grpc/health/v1/health.proto',
  'nacos/nacos_grpc_service.proto',
];
const present = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.proto'))
  .sort();

describe('proto/ holds', () => {
  test('upstream files, unmodified', () => {
    const sums = present.map(
      (name) =>
        `${createHash('sha256')
          .update(readFileSync(new URL(name, folder)))
          .digest('hex')}  ${name}`,
    );
    expect(sums).toEqual(readFileSync(new URL('SHA256SUMS', folder), 'utf8').trim().split('\n'));
  });

  test('all that the services need, and no file more; what is of google.protobuf comes with protobufjs', () => {
    const needed = new Set<string>();
    const need = (name: string): void => {
      if (needed.has(name) || name.startsWith('google/protobuf/')) return;
      needed.add(name);
      expect(existsSync(new URL(name, folder)), `${name} is missing`).toBe(true);
      const text = readFileSync(new URL(name, folder), 'utf8');
      for (const [, imported = ''] of text.matchAll(/^import (?:public |weak )?"([^"]+)";/gm)) need(imported);
    };
    roots.forEach(need);
    expect(present).toEqual([...needed].sort());
  });

  test('a licence, and a row of its README for every folder', () => {
    expect(readFileSync(new URL('LICENSE', folder), 'utf8')).toContain('Apache License');
    const readme = readFileSync(new URL('README.md', folder), 'utf8');
    const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.filter(({ name }) => !readme.includes(`\`${name}/`)).map(({ name }) => name)).toEqual([]);
  });
});

describe('the protocol', () => {
  test('has the services that Envoy calls', () => {
    expect(externalProcessor['Process']?.path).toBe('/envoy.service.ext_proc.v3.ExternalProcessor/Process');
    expect(Object.values(health).map(({ path }) => path)).toEqual([
      '/grpc.health.v1.Health/Check',
      '/grpc.health.v1.Health/Watch',
    ]);
  });

  test('reads a request as its type says, absent parts absent', () => {
    const request: ProcessingRequest = {
      requestHeaders: { headers: { headers: [{ key: ':path', rawValue: Buffer.from('/a') }] }, endOfStream: true },
      attributes: { 'envoy.filters.http.ext_proc': { fields: { port: { numberValue: 80 } } } },
      metadataContext: { filterMetadata: { lanekeeper: { fields: { label: { stringValue: 'gray' } } } } },
    };
    const process = externalProcessor['Process'];
    const read = process?.requestDeserialize(process.requestSerialize(request)) as ProcessingRequest;
    expect(read).toMatchObject(request);
    expect(read.responseHeaders).toBeUndefined();
    expect(read.observabilityMode).toBeUndefined();
    expect(read.requestHeaders?.headers?.headers?.[0]?.rawValue).toBeInstanceOf(Buffer);
  });

  test.each<[string, ProcessingResponse]>([
    [
      'a label',
      {
        requestHeaders: {
          response: {
            status: 'CONTINUE',
            headerMutation: {
              setHeaders: [{ header: { key: 'x-a', rawValue: Buffer.from([0xe9]) } }],
              removeHeaders: ['baggage'],
            },
            clearRouteCache: true,
          },
        },
        dynamicMetadata: {
          fields: { lanekeeper: { structValue: { fields: { label: { stringValue: 'gray' } } } } },
        },
      },
    ],
    ['nothing to change in trailers', { responseTrailers: { headerMutation: {} } }],
    ['nothing to change in a body', { requestBody: { response: {} } }],
  ])('writes a response as its type says: %s', (_, response) => {
    const process = externalProcessor['Process'];
    expect(process?.responseDeserialize(process.responseSerialize(response))).toMatchObject(response);
  });

  test('writes the end of a request with the number of its status', () => {
    const process = externalProcessor['Process'];
    const response: ProcessingResponse = { immediateResponse: { status: { code: 503 }, details: 'no_base' } };
    expect(process?.responseDeserialize(process.responseSerialize(response))).toMatchObject({
      immediateResponse: { status: { code: 'ServiceUnavailable' }, details: 'no_base' },
    });
  });
});
