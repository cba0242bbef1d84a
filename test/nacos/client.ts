// What applications and operators tell a Nacos by HTTP, in the form that all its versions know.
import { setTimeout as sleep } from 'node:timers/promises';

export type TestInstance = {
  readonly ip: string;
  readonly port: number | string;
  readonly weight?: number;
  readonly enabled?: boolean;
  readonly healthy?: boolean;
  readonly clusterName?: string;
  readonly metadata?: Readonly<Record<string, string>>;
};

export type Where = { readonly namespaceId?: string; readonly groupName?: string };

export type NacosClient = {
  isReady(): Promise<boolean>;
  register(serviceName: string, instance: TestInstance, where?: Where): Promise<void>;
  deregister(serviceName: string, instance: TestInstance, where?: Where): Promise<void>;
  /** `tenant`: the namespace. */
  publish(dataId: string, group: string, content: string, tenant?: string): Promise<void>;
  remove(dataId: string, group: string): Promise<void>;
  /** False where it does not keep one in that time. */
  keepsConfigurations(timeoutMs: number): Promise<boolean>;
};

export function nacosClient(port: number, user?: { readonly name: string; readonly password: string }): NacosClient {
  const base = `http://127.0.0.1:${port}/nacos`;
  let accessToken: string | undefined;
  return {
    async isReady() {
      try {
        const response = await fetch(`${base}/v1/ns/service/list?pageNo=1&pageSize=1`, {
          signal: AbortSignal.timeout(2_000),
        });
        if (user === undefined) return response.ok;
        return [200, 403].includes(response.status) && (await logIn(user));
      } catch {
        return false;
      }
    },
    register: (serviceName, instance, where) => call('POST', '/v1/ns/instance', formOf(serviceName, instance, where)),
    deregister: (serviceName, instance, where) =>
      call('DELETE', '/v1/ns/instance', formOf(serviceName, instance, where)),
    publish: (dataId, group, content, tenant = '') =>
      call('POST', '/v1/cs/configs', { dataId, group, content, tenant }),
    remove: (dataId, group) => call('DELETE', '/v1/cs/configs', { dataId, group }),
    async keepsConfigurations(timeoutMs) {
      const question = { dataId: 'test-of-the-server', group: 'DEFAULT_GROUP' };
      for (const until = performance.now() + timeoutMs; performance.now() < until; await sleep(25)) {
        await call('POST', '/v1/cs/configs', { ...question, content: 'yes' }).catch(() => {});
        if ((await ask('GET', '/v1/cs/configs', question)) === 'yes') return true;
      }
      return false;
    },
  };

  /** The first call makes the administrator where there is none. */
  async function logIn({ name, password }: { readonly name: string; readonly password: string }): Promise<boolean> {
    await fetch(`${base}/v3/auth/user/admin`, { method: 'POST', body: new URLSearchParams({ password }) });
    const body = new URLSearchParams({ username: name, password });
    const response = await fetch(`${base}/v3/auth/user/login`, { method: 'POST', body });
    accessToken = response.ok ? ((await response.json()) as { accessToken?: string }).accessToken : undefined;
    return accessToken !== undefined;
  }

  async function call(method: string, path: string, form: Readonly<Record<string, string>>): Promise<void> {
    await ask(method, path, form).then((answer) => {
      if (answer === undefined) throw new Error(`${method} ${path} ${JSON.stringify(form)} was refused`);
    });
  }

  async function ask(
    method: string,
    path: string,
    form: Readonly<Record<string, string>>,
  ): Promise<string | undefined> {
    const parameters = new URLSearchParams({ ...form, ...(accessToken !== undefined && { accessToken }) });
    const response =
      method === 'POST'
        ? await fetch(`${base}${path}`, { method, body: parameters })
        : await fetch(`${base}${path}?${parameters}`, { method });
    const text = await response.text();
    return response.ok ? text : undefined;
  }
}

function formOf(serviceName: string, instance: TestInstance, where: Where = {}): Record<string, string> {
  const { metadata, ...fields } = instance;
  const texts = Object.entries({ ...where, ...fields }).map(([key, value]) => [key, String(value)]);
  return { serviceName, ...Object.fromEntries(texts), ...(metadata && { metadata: JSON.stringify(metadata) }) };
}
