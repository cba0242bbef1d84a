import { afterEach, expect, test, vi } from 'vitest';
import { createCatalogue } from '../../src/xds/catalogue.ts';
import type { DeltaRequest } from '../../src/xds/request.ts';
import { typeUrlOf } from '../../src/xds/response.ts';
import { openStream } from '../../src/xds/stream.ts';
import { cluster, endpoints, nothing, patched, table } from './mesh.ts';

const request: DeltaRequest = { typeUrl: '', subscribe: [], unsubscribe: [], versions: new Map(), nonce: '' };
const patienceMs = 5_000;

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** A stream whose responses are gathered, to an Envoy that `reads` or does not. */
function begin(reads = () => true) {
  const catalogue = createCatalogue();
  const sent: string[] = [];
  const stream = openStream({
    catalogue,
    patienceMs,
    isHeld: () => false,
    canSend: reads,
    send: (response) => sent.push(response.toString('latin1')),
    onRefused: () => {},
    onListenersClosed: () => {},
  });
  return { catalogue, sent, stream };
}

test('an Envoy that does not read is sent nothing more, and the last state when it reads again', () => {
  let reads = true;
  const { catalogue, sent, stream } = begin(() => reads);
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

test('patience that ends in the middle of a step ends for all of it: what waited is sent', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let now = 0;
  let tick = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => {
    now += tick;
    return now;
  });
  const { catalogue, sent, stream } = begin();
  catalogue.update(patched(nothing, { clusters: { b: cluster('b') }, routes: { main: table('main', { '/': 'b' }) } }));
  stream.receive({ ...request, typeUrl: typeUrlOf('clusters') });
  stream.receive({ ...request, typeUrl: typeUrlOf('routes'), subscribe: ['main'] });
  expect(sent.length).toBe(1); // the routes wait for the answer about b
  for (let before = 9; before >= 0; before--) {
    now = patienceMs - before;
    tick = 1; // whoever reads the clock finds it later than the one before
    stream.step();
    tick = 0;
    if (sent.length > 1) break;
    expect(vi.getTimerCount()).toBe(1);
  }
  now = patienceMs + 1;
  vi.runOnlyPendingTimers();
  expect(sent.length).toBe(2);
  stream.close();
});
