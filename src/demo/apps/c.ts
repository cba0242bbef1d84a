// Service C: answers with its own name. It calls nobody and hands nothing on.
import { createServer } from 'node:http';
import { traceOf, writeText } from './rows.ts';

const version = process.env['VERSION'] ?? 'base';

const server = createServer(async (request, response) => {
  try {
    await writeText(`C[${version}]`, traceOf(request.headers));
    response.end(`C[${version}]\n`);
  } catch (error) {
    response.writeHead(502).end(`C[${version}] failed: ${error}\n`);
  }
});

const port = Number(process.env['PORT'] ?? 9003);
server.listen(port, process.env['HOST'] ?? '127.0.0.1', () => console.log('C listens'));
