import { expect, test } from 'vitest';
import { createCatalogue } from '../../src/xds/catalogue.ts';
import type { DeltaRequest } from '../../src/xds/request.ts';
import { typeUrlOf } from '../../src/xds/response.ts';
import { openStream } from '../../src/xds/stream.ts';
import { cluster, endpoints, nothing, patched } from './mesh.ts';

const request: DeltaRequest = { typeUrl: '', subscribe: [], unsubscribe: [], versions: new Map(), nonce: '' };

test('an Envoy that does not read is sent nothing more, and the last state when it reads again', () => {
  const catalogue = createCatalogue();
  const sent: string[] = [];
  let reads = true;
  const stream = openStream({
    catalogue,
    patienceMs: 5_000,
    isHeld: () => false,
    canSend: () => reads,
    send: (response) => sent.push(response.toString('latin1')),
    onRefused: () => {},
    onListenersClosed: () => {},
  });
  let resources = patched(nothing, { clusters: { b: cluster('b') }, endpoints: { b: endpoints('b', 1) } });
  catalogue.update(resources);
  stream.receive({ ...request, typeUrl: typeUrlOf('clusters') });
  expect(sent.length).toBe(1);
  reads = false;
  stream.receive({ ...request, typeUrl: typeUrlOf('endpoints'), subscribe: ['b'] });
  for (let port = 2; port < 50; port++) {
    resources = patched(resources, { endpoints: { b: endpoints('b', port) } });
    stream.note(catalogue.update(resources));
    stream.step();
  }
  expect(sent.length).toBe(1);
  reads = true;
  stream.step();
  expect(sent.length).toBe(2);
  stream.close();
});
