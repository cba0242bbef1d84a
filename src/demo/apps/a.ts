// Service A: answers with its own name and what B answers. It is traced, and hands `traceparent` on; nothing else.
import { createServer } from 'node:http';
import { traceOf, writePrepared } from './rows.ts';

const version = process.env['VERSION'] ?? 'base';
const next = process.env['B_URL'] ?? 'http://127.0.0.1:9002';

const server = createServer(async (request, response) => {
  try {
    const traceparent = traceOf(request.headers);
    await writePrepared(`A[${version}]`, traceparent);
    const answer = await fetch(`${next}/b`, { headers: { traceparent } });
    response.writeHead(answer.status).end(`A[${version}] -> ${await answer.text()}`);
  } catch (error) {
    response.writeHead(502).end(`A[${version}] -> failed: ${error}\n`);
  }
});

const port = Number(process.env['PORT'] ?? 9001);
server.listen(port, process.env['HOST'] ?? '127.0.0.1', () => console.log('A listens'));
