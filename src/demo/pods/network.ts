// A network of pods on this machine, as a node of Kubernetes has it: routed, with services that are spread over pods.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Namespace, openNamespace } from './namespace.ts';
import { renderServices } from './services.ts';
import { type Kind, networkSupport } from './support.ts';

export type ServiceOptions = {
  readonly name: string;
  readonly port: number;
  readonly targetPort: number;
  /** All that are behind it, of every version: a service knows no labels. */
  readonly pods: readonly string[];
};

export type NetworkOptions = {
  readonly pods: readonly string[];
  readonly services: readonly ServiceOptions[];
  /** The best one of this machine where absent. */
  readonly kind?: Kind;
  /** Where it keeps files until the pods have them. */
  readonly folder?: string;
};

export type Addresses = { readonly name: string; readonly address: string; readonly address6: string };

export type Pod = Addresses & {
  /** The words that run a program in the pod as that user (0: root, who may lay rules). Paths must be absolute. */
  command(uid: number, argv: readonly string[]): string[];
  /** Runs a program as root, to its end; rejects with what it said where it fails. */
  run(argv: readonly string[]): Promise<string>;
};

export type Network = {
  readonly kind: Kind;
  pod(name: string): Pod;
  service(name: string): Addresses;
  /** Ends all that runs in the pods, and the network with it. */
  close(): Promise<void>;
};

/** Rejects where this machine or user cannot have one, with what it lacks. */
export async function createNetwork(options: NetworkOptions): Promise<Network> {
  const support = options.kind ? { kind: options.kind } : networkSupport();
  if ('lacks' in support) throw new Error(`a network of pods needs ${support.lacks}`);
  const { kind } = support;
  const pods = options.pods.map((name, index) => ({ name, ...podAddresses(index + 1) }));
  const named = new Map(pods.map((pod) => [pod.name, pod]));
  const services = options.services.map((service, index) => ({
    ...service,
    address: `10.231.0.${index + 1}`,
    address6: `fd24::${index + 1}`,
    pods: service.pods.map((name) => known(named, name)),
  }));
  const folder = mkdtempSync(join(options.folder ?? tmpdir(), 'lanekeeper-pods-'));
  const opened: Namespace[] = [];
  const close = async () => {
    await Promise.all(opened.map((namespace) => namespace.close()));
  };
  try {
    const files = writeFiles(folder, services, pods);
    const node = await openNamespace({ kind });
    opened.push(node);
    for (const sysctl of ['ipv4/ip_forward', 'ipv6/conf/all/forwarding'])
      await node.run(['sh', '-c', `echo 1 > /proc/sys/net/${sysctl}`]);
    const commands = new Map<string, Namespace>();
    for (const [index, { name }] of pods.entries()) {
      const pod = await openNamespace({ kind, beside: node, files });
      opened.push(pod);
      commands.set(name, pod);
      await wire({ node, pod, index: index + 1 });
    }
    await node.run(['nft', '-f', '-'], renderServices(services));
    return {
      kind,
      pod(name) {
        const namespace = known(commands, name);
        return { ...known(named, name), command: (uid, argv) => namespace.command(argv, uid), run: namespace.run };
      },
      service: (name) => known(new Map(services.map((service) => [service.name, service])), name),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  } finally {
    // What is mounted stays until the pods are gone, with or without its name.
    rmSync(folder, { recursive: true, force: true });
  }
}

function podAddresses(index: number): Omit<Addresses, 'name'> {
  return { address: `10.230.${index}.2`, address6: `fd23:${index}::2` };
}

/** Without a name server, and with a file of hosts that has none of this machine's: services by name, pods as `a.pod`. */
function writeFiles(
  folder: string,
  services: readonly Addresses[],
  pods: readonly Addresses[],
): Record<string, string> {
  const names = (name: string) => [name, `${name}.demo`, `${name}.demo.svc.cluster.local`].join(' ');
  const hosts = [
    ...services.flatMap(({ name, address, address6 }) => [`${address} ${names(name)}`, `${address6} ${names(name)}`]),
    ...pods.flatMap(({ name, address, address6 }) => [`${address} ${name}.pod`, `${address6} ${name}.pod`]),
  ];
  const texts = {
    '/etc/hosts': ['127.0.0.1 localhost', '::1 localhost', ...hosts, ''].join('\n'),
    '/etc/resolv.conf': '',
  };
  return Object.fromEntries(
    Object.entries(texts)
      .filter(([path]) => existsSync(path))
      .map(([path, text], index) => {
        const file = join(folder, `${index}`);
        writeFileSync(file, text, { mode: 0o644 });
        return [path, file];
      }),
  );
}

/** A cable from the node to the pod. No bridge: over one, replies would pass by the node's translation of services. */
async function wire({ node, pod, index }: { node: Namespace; pod: Namespace; index: number }): Promise<void> {
  const { address, address6 } = podAddresses(index);
  const [near, near6] = [`10.230.${index}.1`, `fd23:${index}::1`];
  const atNode = [
    `link add pod${index} type veth peer name eth0 netns ${pod.pid}`,
    `addr add ${near}/24 dev pod${index}`,
    `addr add ${near6}/64 dev pod${index} nodad`,
    `link set pod${index} up`,
  ];
  const inPod = [
    `addr add ${address}/24 dev eth0`,
    `addr add ${address6}/64 dev eth0 nodad`,
    'link set eth0 up',
    `route add default via ${near}`,
    `route add default via ${near6}`,
  ];
  await node.run(['ip', '-batch', '-'], `${atNode.join('\n')}\n`);
  await pod.run(['ip', '-batch', '-'], `${inPod.join('\n')}\n`);
}

function known<T>(map: ReadonlyMap<string, T>, name: string): T {
  const value = map.get(name);
  if (value === undefined) throw new Error(`${name} is not in this network, which has ${[...map.keys()].join(', ')}`);
  return value;
}
