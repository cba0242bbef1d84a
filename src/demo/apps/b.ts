// Service B: answers with its own name and what C answers. It hands W3C `baggage` on, as it came; nothing else.
import { createServer } from 'node:http';
import { traceOf, writeText } from './rows.ts';

const version = process.env['VERSION'] ?? 'base';
const next = process.env['C_URL'] ?? 'http://127.0.0.1:9003';

const server = createServer(async (request, response) => {
  try {
    const { baggage } = request.headers;
    const headers = typeof baggage === 'string' ? { baggage } : {};
    await writeText(`B[${version}]`, traceOf(request.headers));
    const answer = await fetch(`${next}/c`, { headers });
    response.writeHead(answer.status).end(`B[${version}] -> ${await answer.text()}`);
  } catch (error) {
    response.writeHead(502).end(`B[${version}] -> failed: ${error}\n`);
  }
});

const port = Number(process.env['PORT'] ?? 9002);
server.listen(port, process.env['HOST'] ?? '127.0.0.1', () => console.log('B listens'));
