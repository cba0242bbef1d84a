// One conversation: Envoy opens a stream for a request, says its headers, and gets exactly one reply a message.
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Decision } from '../decision/decision.ts';
import { type TraceId, traceparentId } from '../propagation/trace.ts';
import { type Direction, directionKey, directions } from '../traffic/agreement.ts';
import type { Request } from '../traffic/request.ts';
import { passOn } from './failure.ts';
import type { HttpHeaders, ProcessingRequest, ProcessingResponse } from './protocol.ts';
import { toRequest, toResponse } from './wire.ts';

/** Decides one request. Where a promise comes with the decision, the reply waits for it. */
export type Decide = (question: {
  readonly request: Request;
  readonly direction: Direction;
  /** The trace that Envoy itself sends on, where it traces. */
  readonly envoyTrace: TraceId | undefined;
}) => { readonly decision: Decision; readonly before?: Promise<unknown> | undefined };

export type ConversationOptions = {
  /** Proxies before an edge whose word on the caller's address counts; none where absent. */
  readonly trustedHops?: number | undefined;
  readonly decide: Decide;
  /** Told of an exception in `decide`: the request has gone on unchanged. */
  readonly onFailure: (error: unknown) => void;
};

/** Answers a stream until Envoy ends it. Never throws; whatever fails, the request goes on. */
export function converse(
  call: ServerDuplexStream<ProcessingRequest, ProcessingResponse>,
  options: ConversationOptions,
): void {
  let decided = false;
  call.on('data', (message: ProcessingRequest) => {
    if (message.observabilityMode) return; // Envoy does not wait, and takes a reply for a mistake
    const headers = decided ? undefined : message.requestHeaders;
    decided ||= headers !== undefined && headers !== null;
    const before = headers ? decideAndReply(headers) : reply(passOn(message));
    before?.then(undefined, options.onFailure);
  });
  call.on('end', () => call.end()); // else Envoy waits a second, then resets (envoy-ext-proc.md 1.4)
  call.on('error', () => {}); // a reset stream has nobody to tell

  function decideAndReply(headers: HttpHeaders): Promise<void> | undefined {
    try {
      const direction = directionOf();
      const { decision, before } = options.decide({
        request: toRequest(headers, direction, options.trustedHops),
        direction,
        envoyTrace: envoyTrace(),
      });
      const answer = toResponse(decision);
      if (before === undefined) return reply(answer);
      return before.then(
        () => reply(answer),
        (error: unknown) => {
          options.onFailure(error);
          reply(answer);
        },
      );
    } catch (error) {
      options.onFailure(error);
      return reply(passOn({ requestHeaders: headers }));
    }
  }

  function reply(answer: ProcessingResponse | undefined): undefined {
    if (call.cancelled || call.destroyed) return;
    if (answer === undefined) call.end();
    else call.write(answer);
  }

  function directionOf(): Direction {
    const [value] = call.metadata.get(directionKey);
    // Somebody else's Envoy may not say: an edge trusts nothing.
    return directions.find((direction) => direction === value) ?? 'edge';
  }

  function envoyTrace(): TraceId | undefined {
    const [value] = call.metadata.get('traceparent');
    return typeof value === 'string' ? traceparentId(value) : undefined;
  }
}
