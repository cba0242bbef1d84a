import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startWorld, type World } from './world.ts';

const gray = { headers: { 'x-opensergo-traffic': 'gray' } };

/** Who answered how often. */
async function answers(world: World, service: string, times: number, request = {}): Promise<Record<string, number>> {
  const count: Record<string, number> = {};
  for (let i = 0; i < times; i++) {
    const { status, body } = await world.viaClient(service, request);
    const who = status === 200 ? body : `${status}`;
    count[who] = (count[who] ?? 0) + 1;
  }
  return count;
}

describe('a labelled request', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      members: [
        { service: 'both' },
        { service: 'both', label: 'gray' },
        { service: 'onlybase' },
        { service: 'onlygray', label: 'gray' },
        { service: 'dead' },
        { service: 'dead', label: 'gray' },
        { service: 'half' }, // its application dies, its Envoy lives
        { service: 'half', label: 'gray', sidecar: true },
        { service: 'gone' },
        { service: 'gone', label: 'gray', sidecar: true },
        { service: 'three' },
        { service: 'three', label: 'gray' },
        { service: 'three', label: 'gray' },
        { service: 'three', label: 'gray' },
        { service: 'strict' },
        { service: 'strict', label: 'gray' },
        { service: 'failing' },
        { service: 'failing', label: 'gray' },
      ],
      strict: ['strict'],
      client: {},
    });
  });
  afterAll(() => world?.close());
  afterEach(() => world.fallbacksAgree());

  test('takes its lane, and one without a label takes base', async () => {
    expect(await answers(world, 'both', 20, gray)).toEqual({ 'both-gray': 20 });
    expect(await answers(world, 'both', 20)).toEqual({ 'both-base': 20 });
  });

  test('by its baggage member too, without a call of the processor', async () => {
    expect(await answers(world, 'both', 5, { headers: { baggage: 'x=1, OpenSergo-Label = gray;p' } })).toEqual({
      'both-gray': 5,
    });
    expect(await world.metric('client', 'lanekeeper_decisions_total')).toBe(0);
  });

  test.each(['blue', 'GRAY', 'grayx', 'gray.', 'gray.eu', 'gray; x=1', 'base', 'gray,gray'])(
    'with the unknown label %j falls back to base',
    async (label) => {
      expect(await answers(world, 'both', 3, { headers: { 'x-opensergo-traffic': label } })).toEqual({
        'both-base': 3,
      });
    },
  );

  test('whose lane is empty falls back to base, with its label still on it', async () => {
    expect(await answers(world, 'onlybase', 10, gray)).toEqual({ 'onlybase-base': 10 });
    expect(world.seen.at(-1)?.label).toBe('gray');
  });

  test('without a label never reaches a lane: 503 with a reason where base is empty', async () => {
    expect(await answers(world, 'onlygray', 10)).toEqual({ 503: 10 });
    const refused = await world.viaClient('onlygray');
    expect(refused.headers['x-lanekeeper-reason']).toMatch(/^UH onlygray\/base$/);
    expect(await answers(world, 'onlygray', 5, gray)).toEqual({ 'onlygray-gray': 5 });
  });

  test('whose lane refuses connections falls back to base, GET and POST, and at once when it is ejected', async () => {
    await world.applications.get('dead-gray')?.kill();
    expect(await answers(world, 'dead', 10, gray)).toEqual({ 'dead-base': 10 });
    expect(await answers(world, 'dead', 10, { ...gray, method: 'POST', body: 'x'.repeat(10_000) })).toEqual({
      'dead-base': 10,
    });
    const before = world.seen.length;
    await world.startMember('dead-gray');
    // Ejected for ten seconds: the instance that is back is not tried yet.
    expect(await answers(world, 'dead', 3, gray)).toEqual({ 'dead-base': 3 });
    expect(world.seen.length - before).toBe(3);
  });

  test('whose application is gone while its Envoy lives falls back to base, GET and POST', async () => {
    await world.applications.get('half-gray')?.kill();
    expect(await answers(world, 'half', 10, gray)).toEqual({ 'half-base': 10 });
    expect(await answers(world, 'half', 10, { ...gray, method: 'POST', body: 'x' })).toEqual({ 'half-base': 10 });
  });

  test('whose application and Envoy are both gone falls back to base', async () => {
    await world.applications.get('gone-gray')?.kill();
    await world.find('gone-gray').stop();
    world.running.splice(world.running.indexOf(world.find('gone-gray')), 1);
    expect(await answers(world, 'gone', 20, gray)).toEqual({ 'gone-base': 20 });
  });

  test('stays in its lane where one of three instances is dead: 0 of 200 to base', async () => {
    await world.applications.get('three-gray-2')?.kill();
    const count = await answers(world, 'three', 200, gray);
    expect(count['three-base'] ?? 0).toBe(0);
    expect((count['three-gray'] ?? 0) + (count['three-gray-3'] ?? 0)).toBe(200);
  });

  test('whose service is strict is refused with a reason where its lane is unknown or dead', async () => {
    expect(await answers(world, 'strict', 3, gray)).toEqual({ 'strict-gray': 3 });
    const unknown = await world.viaClient('strict', { headers: { 'x-opensergo-traffic': 'blue' } });
    expect(unknown).toMatchObject({
      status: 503,
      headers: { 'x-lanekeeper-reason': 'strict is strict and has no lane for this label' },
    });
    await world.applications.get('strict-gray')?.kill();
    const dead = await world.viaClient('strict', gray);
    expect(dead).toMatchObject({
      status: 503,
      headers: { 'x-lanekeeper-reason': expect.stringMatching(/^(URX,UF|UH) strict\/gray$/) },
    });
  });
});

describe('a workload with a label of its own', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({
      members: [{ service: 'b' }, { service: 'b', label: 'gray' }, { service: 'onlybase' }, { service: 'strict' }],
      strict: ['strict'],
      client: { 'traffic.opensergo.io/label': 'gray' },
    });
  });
  afterAll(() => world?.close());
  afterEach(() => world.fallbacksAgree());

  test('gives it to what it sends without one, in header and baggage', async () => {
    expect(await answers(world, 'b', 5, { headers: { baggage: 'a=1' } })).toEqual({ 'b-gray': 5 });
    expect(world.seen.at(-1)?.label).toBe('gray');
    expect(String(world.seen.at(-1)?.headers['baggage']).replaceAll(' ', '')).toBe('a=1,OpenSergo-Label=gray');
  });

  test('and falls back to base with it', async () => {
    expect(await answers(world, 'onlybase', 5)).toEqual({ 'onlybase-base': 5 });
    expect(world.seen.at(-1)?.label).toBe('gray');
  });

  test('but leaves another label alone: that goes to base', async () => {
    expect(await answers(world, 'b', 5, { headers: { 'x-opensergo-traffic': 'blue' } })).toEqual({ 'b-base': 5 });
  });

  test('and is refused by a strict service without that lane', async () => {
    expect(await answers(world, 'strict', 2)).toEqual({ 503: 2 });
  });
});
