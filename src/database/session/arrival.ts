// From the first byte of a client to the moment when it shows who it is: to which server it goes, and what both agree on.

import type { Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { capability, has } from '../handshake/capabilities.ts';
import { type Greeting, readGreeting } from '../handshake/greeting.ts';
import { readProxyHeader, writeProxyHeader } from '../handshake/proxy-header.ts';
import { readResponse } from '../handshake/response.ts';
import type { ProxyOptions, Target, TlsOptions } from '../options.ts';
import { complaint } from '../packets/answers.ts';
import { frame } from '../packets/frames.ts';
import { letGo, openSide, type Side } from '../packets/side.ts';
import { connectTo } from '../upstream/intake.ts';
import { originate } from '../upstream/secure.ts';
import type { Wire } from '../upstream/wire.ts';

export type Arrived = {
  readonly client: Socket;
  readonly server: Socket;
  readonly wire: Wire;
  readonly database: string | undefined;
  /** Bytes of the client that came with its last packet. */
  readonly rest: readonly Buffer[];
};

/** What went wrong, for whoever operates it; the client has been told, or is gone. */
export type Failure = { readonly failure: string };

const badHandshake = { code: 1043, state: '08S01' } as const;

export async function arrive(client: Socket, options: ProxyOptions): Promise<Arrived | Failure> {
  const clientSide = openSide(client);
  const target = options.upstream === 'proxy-protocol' ? await headed(clientSide) : options.upstream;
  if (target === undefined) {
    const failure = 'found no PROXY header, expected one before the first byte';
    client.write(complaint({ ...badHandshake, message: `lanekeeper: ${failure}`, sequence: 0, hasState: false }));
    return fail(clientSide, undefined, failure);
  }
  const server = dial(target, options.exit);
  const serverSide = openSide(server);
  const onGone = () => server.destroy();
  client.once('close', onGone).once('end', onGone);
  const arrived = await greet({ client: clientSide, server: serverSide }, target, options);
  client.off('close', onGone).off('end', onGone);
  return arrived;
}

type Sides = { readonly client: Side; readonly server: Side };

async function greet({ client, server }: Sides, target: Target, options: ProxyOptions): Promise<Arrived | Failure> {
  const first = await server.packet();
  if (first === undefined) {
    const message = `lanekeeper: cannot reach the database server at ${nameOf(target)}: ${server.why() ?? 'it closed the connection'}`;
    client.socket.write(complaint({ code: 2003, state: 'HY000', message, sequence: 0, hasState: false }));
    return fail(client, server.socket, message);
  }
  // An ERR: too many connections, or this host is blocked.
  if (first.payload[0] === 0xff) {
    client.socket.write(first.raw);
    return fail(client, server.socket, `${nameOf(target)} refuses connections`);
  }
  const isTerminating = options.tls.mode === 'terminate';
  const greeting = readGreeting(first.payload, { tls: isTerminating });
  if (greeting === undefined) return fail(client, server.socket, `${nameOf(target)} speaks no protocol of version 10`);
  client.socket.write(frame(greeting.payload, first.sequence));
  return respond({ client, server }, greeting, options.tls);
}

async function respond(sides: Sides, greeting: Greeting, tls: TlsOptions): Promise<Arrived | Failure> {
  let { client, server } = sides;
  let packet = await client.packet();
  let said = packet && readResponse(packet.payload, greeting.capabilities);
  let isSecured = false;
  if (packet !== undefined && said?.isTlsRequest === true && tls.mode === 'terminate') {
    server.socket.write(frame(said.payload, packet.sequence));
    isSecured = true;
    server = openSide(await originate(server.release(), tls));
    client = openSide(terminate(client.release(), tls));
    packet = await client.packet();
    said = packet && readResponse(packet.payload, greeting.capabilities);
  }
  const why = client.why();
  if (packet === undefined && why === undefined)
    return fail(client, server.socket, 'the client left before it said who it is');
  if (packet === undefined || said === undefined || said.isTlsRequest) {
    const found = why ?? 'it does not speak the protocol of 4.1 in clear';
    const message = `lanekeeper: expected a client that says who it is, but ${found}`;
    client.socket.write(complaint({ ...badHandshake, message, sequence: (packet?.sequence ?? 1) + 1 }));
    return fail(client, server.socket, message);
  }
  // Who only would like TLS says so in clear as well (PyMySQL); a server that has it would wait for that.
  if (!isSecured) said.payload.writeUInt32LE((said.payload.readUInt32LE(0) & ~capability.tls) >>> 0, 0);
  server.socket.write(frame(said.payload, packet.sequence));
  const { capabilities, extensions, collation, database } = said;
  const clientHasAttributes = has(capabilities, capability.queryAttributes);
  const serverHasAttributes = clientHasAttributes && has(greeting.capabilities, capability.queryAttributes);
  const wire = { capabilities, extensions, collation, clientHasAttributes, serverHasAttributes };
  server.release();
  const rest = client.rest();
  return { client: client.release(), server: server.socket, wire, database, rest };
}

function terminate(socket: Socket, tls: Extract<TlsOptions, { mode: 'terminate' }>): Socket {
  const secureContext = createSecureContext({ cert: tls.certificate, key: tls.key });
  return new TLSSocket(socket, { isServer: true, secureContext });
}

/** By `exit` where there is one: the header is what the kernel's redirection is to Envoy. */
function dial(target: Target, exit: string | undefined): Socket {
  if ('path' in target || exit === undefined) return connectTo(target);
  const socket = connectTo({ path: exit });
  socket.write(writeProxyHeader(target));
  return socket;
}

async function headed(side: Side): Promise<Target | undefined> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const chunk = await side.bytes();
    if (chunk === undefined) return undefined;
    bytes = Buffer.concat([bytes, chunk]);
    const header = readProxyHeader(bytes);
    if (header.state === 'invalid') return undefined;
    if (header.state === 'more') continue;
    side.give(bytes.subarray(header.bytes));
    return header.destination;
  }
}

function fail(client: Side, server: Socket | undefined, failure: string): Failure {
  letGo(client);
  server?.destroy();
  return { failure };
}

function nameOf(target: Target): string {
  return 'path' in target ? target.path : `${target.host}:${target.port}`;
}
