// TLS to servers, where it is begun again behind a client's.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import type { TlsOptions } from '../options.ts';

/** The server has been asked for it, and says nothing more in clear. One that `authority` does not vouch for is an error of the socket. */
export function originate(socket: Socket, { authority }: Extract<TlsOptions, { mode: 'terminate' }>): Socket {
  // Whether its name is right cannot be told: clients come here by address.
  return connect({
    socket: socket as Duplex,
    ...(authority === undefined ? {} : { ca: authority }),
    rejectUnauthorized: authority !== undefined,
    checkServerIdentity: () => undefined,
  });
}
