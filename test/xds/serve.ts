// The ADS server in a process of its own, so that it can be killed and stopped; told what to serve over its channel.
import { openXdsServer } from '../../src/xds/server.ts';
import type { Patch } from './mesh.ts';
import { nothing, patched } from './mesh.ts';

const [socket = ''] = process.argv.slice(2);
const server = await openXdsServer({
  socket,
  routeDelayMs: 0,
  onRefusals: () => {},
  onError: (error) => console.error(error),
});
process.on('message', async (everything: Patch) => {
  server.update(patched(nothing, everything));
  await server.settled();
  process.send?.('settled');
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
