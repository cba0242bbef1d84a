// Service C: answers with its own name. It calls nobody and hands nothing on.
import { createServer } from 'node:http';

const version = process.env['VERSION'] ?? 'base';

const server = createServer((_, response) => {
  response.end(`C[${version}]\n`);
});

const port = Number(process.env['PORT'] ?? 9003);
server.listen(port, process.env['HOST'] ?? '127.0.0.1', () => console.log('C listens'));
