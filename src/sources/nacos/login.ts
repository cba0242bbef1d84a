// User and password → the token that every request carries, renewed before its time is over.
import { mappingOf, nameOf, Refusal, type Server } from './protocol.ts';

export type Login = {
  /** For messages. */
  readonly who: string;
  readonly remedy: string;
  /** A token that this server gave; none where there is no user. Rejects with a `Refusal` where none is to be had. */
  token(server: Server): Promise<string | undefined>;
  /** The server does not take the token. True: it was old enough to be the reason, and the next one will be another. */
  refused(server: Server, token: string): boolean;
};

export type User = {
  readonly name: string;
  /** Read at each login, so that a new one needs no restart. */
  readonly password: () => string;
};

type Token = { readonly text: string; readonly since: number; readonly renewAt: number; readonly until: number };
type Account = { token?: Token; failure?: { readonly error: Error; readonly retryAt: number }; turn?: Promise<void> };

const timeoutMs = 3_000;
const retryMs = 5_000; // a wrong password is not tried with every request
const youngMs = 10_000;
/** Of 3.x, and of all before it. */
const paths = ['/nacos/v3/auth/user/login', '/nacos/v1/auth/login'];

export function createLogin(user: User | undefined): Login {
  const accounts = new Map<string, Account>();
  return {
    who: user === undefined ? 'who has not logged in' : `user ${JSON.stringify(user.name)}`,
    remedy: user === undefined ? 'set a user and a password' : 'give it the right in Nacos',
    async token(server) {
      if (user === undefined) return undefined;
      const account = accountOf(server);
      if (performance.now() >= (account.token?.renewAt ?? 0)) {
        account.turn ??= renew(server, user, account).finally(() => delete account.turn);
        await account.turn;
      }
      const { token, failure: { error: failure } = {} } = account;
      if (token !== undefined && performance.now() < token.until) return token.text;
      throw failure ?? new Refusal('the login gave no token', 'login');
    },
    refused(server, text) {
      const account = accountOf(server);
      if (account.token?.text !== text) return true; // there is another by now
      if (performance.now() - account.token.since < youngMs) return false;
      delete account.token;
      return true;
    },
  };

  function accountOf(server: Server): Account {
    const account = accounts.get(nameOf(server)) ?? {};
    accounts.set(nameOf(server), account);
    return account;
  }
}

async function renew(server: Server, user: User, account: Account): Promise<void> {
  if (performance.now() < (account.failure?.retryAt ?? 0)) return;
  try {
    account.token = await logIn(server, user);
    delete account.failure;
  } catch (reason) {
    const error = new Refusal(`login at ${nameOf(server)}: ${messageOf(reason)}`, 'login');
    account.failure = { error, retryAt: performance.now() + retryMs };
  }
}

async function logIn(server: Server, { name, password }: User): Promise<Token> {
  const body = new URLSearchParams({ username: name, password: passwordOf(password) });
  let answer = { status: 0, text: '' };
  for (const path of paths) {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(`http://${nameOf(server)}${path}`, { method: 'POST', body, signal });
    answer = { status: response.status, text: await response.text() };
    if (response.ok || [400, 401, 403].includes(response.status)) break; // else this server may know the other path
  }
  const said = mappingOf(answer.text);
  const { accessToken, tokenTtl } = (mappingOf(JSON.stringify(said?.['data'])) ?? said ?? {}) as Record<
    string,
    unknown
  >;
  if (typeof accessToken !== 'string')
    throw new Error(
      `found that user ${JSON.stringify(name)} may not log in (HTTP ${answer.status}), expected a user and a password that Nacos knows; mend the one that is set here, or the one in Nacos`,
    );
  const now = performance.now();
  const ttlMs = (typeof tokenTtl === 'number' && tokenTtl > 0 ? tokenTtl : 3_600) * 1_000;
  return { text: accessToken, since: now, renewAt: now + ttlMs * 0.8, until: now + ttlMs };
}

function passwordOf(password: () => string): string {
  try {
    return password();
  } catch (error) {
    throw new Error(`found no password: ${messageOf(error)}; expected one that can be read`);
  }
}

function messageOf(error: unknown): string {
  const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error; // fetch says why there
  return reason instanceof Error ? reason.message : String(reason);
}
