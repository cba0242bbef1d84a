// Runs in a pod and leads connections to a socket of the machine, which it is given, to a port of the pod: as kubectl
// port-forward does. A socket stays in the network in which it was made.
import { connect, type Server } from 'node:net';
import { pipeline } from 'node:stream';

const port = Number(process.argv[2]);

process.on('disconnect', () => process.exit());

process.once('message', (_, server: Server) => {
  server.on('connection', (outside) => {
    const inside = connect(port, '127.0.0.1');
    // Who is cut on one side is cut on the other.
    pipeline(outside, inside, outside, () => {
      outside.destroy();
      inside.destroy();
    });
  });
  process.send?.('forwards');
});
