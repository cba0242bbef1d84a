// The first question of a cold process would be its slowest: code of messages is made when it is first used.

import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { directionKey } from '../traffic/agreement.ts';
import { labelHeader } from '../traffic/label.ts';
import { externalProcessor, type ProcessingRequest, type ProcessingResponse } from './protocol.ts';
import { toRequest, toResponse } from './wire.ts';

const rounds = 30;

/**
 * Holds conversations with the server at `socket` that decide nothing and count nothing (50 ms): what a cold process would
 * do in the first questions, of which each has 0.2 s.
 */
export async function warmUp(socket: string): Promise<void> {
  const method = externalProcessor['Process'];
  if (method === undefined) return;
  const headers = [':method', ':path', 'baggage', 'traceparent'].map((key) => ({ key, rawValue: Buffer.from('a=1') }));
  const question: ProcessingRequest = { requestHeaders: { headers: { headers } } };
  const unanswered: ProcessingRequest = { ...question, observabilityMode: true };
  const answer = toResponse({ label: undefined, reason: 'none', set: [[labelHeader, 'warm']], remove: ['baggage'] });
  const metadata = new Metadata();
  metadata.set(directionKey, 'outbound');
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  try {
    for (let round = 0; round < rounds; round++) {
      toRequest({ headers: { headers } }, 'outbound').header('baggage');
      method.responseDeserialize(method.responseSerialize(answer));
      await converse();
    }
  } finally {
    client.close();
  }

  function converse(): Promise<void> {
    return new Promise((resolve, reject) => {
      const call = client.makeBidiStreamRequest<ProcessingRequest, ProcessingResponse>(
        method?.path ?? '',
        method?.requestSerialize ?? Buffer.from,
        method?.responseDeserialize ?? (() => ({})),
        metadata,
      );
      call.on('error', reject).on('end', resolve);
      call.on('data', () => call.end());
      call.write(unanswered);
      call.write({ requestBody: {} }); // answered unchanged
    });
  }
}
