// What this pod is: the identity that rules select, and the addresses between which its Envoy stands.

/** Key of the short form of a workload's own label (opensergo.md, WorkloadLabelRule); several labels are parted by commas. */
export const workloadLabelKey = 'traffic.opensergo.io/label';

export type Address = { readonly address: string; readonly port: number };

/** CIDR: `10.0.0.0/8`. */
export type Range = { readonly address: string; readonly prefix: number };

export type Inbound = {
  /** Where callers reach this pod. */
  readonly listen: Address;
  readonly application: Address;
  /** True where untrusted callers arrive. The document of the service may say so as well. */
  readonly edge: boolean;
  /** True where the kernel redirects callers: the application is where they meant to go. */
  readonly captured?: boolean;
};

/** Where the kernel redirects connections to (`lanekeeper redirect`). */
export type Interception = {
  readonly outboundPort: number;
  readonly inboundPort: number;
  /** Put on every connection that Envoy opens, where the kernel's rules cannot know it by its user. */
  readonly mark?: number;
  /** Ports of other machines that are databases: their connections go through lanekeeper. */
  readonly databasePorts?: readonly number[];
};

export type Outbound = {
  /** Local address that the application calls in place of the service. */
  readonly listen: Address;
  /** `b`, or `b.other` in another namespace. */
  readonly service: string;
  /** Port of the service; its first where absent. */
  readonly port?: number;
};

export type Workload = {
  /** Unique name: the pod's. */
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The service that this pod is an instance of; it says which ports are edges. */
  readonly service?: string;
  /** `trace`: labels are also correlated by trace, for applications that do not forward the label. */
  readonly propagation: 'header' | 'trace';
  /** `keep` lets strangers choose the trace identity at edges, and so meet a remembered label: an explicit risk. */
  readonly edgeTrace: 'strip' | 'keep';
  /** Who may send labels to inbound ports that are no edges; everybody where absent. */
  readonly trustedPeers?: readonly Range[];
  /** Proxies before an edge whose word on the caller's address counts. */
  readonly trustedHops?: number;
  /** Listener of a gateway: an edge without an application, which routes by the paths that services state. */
  readonly gateway?: Address;
  readonly inbound: readonly Inbound[];
  readonly outbound: readonly Outbound[];
  /** Present where connections are redirected to Envoy, whatever their destination. */
  readonly interception?: Interception;
  /** True where statements to databases are told apart by the trace of the request that they are for. */
  readonly databases?: boolean;
  /** Services that are called, as in `Outbound.service`; with interception all, where absent. */
  readonly calls?: readonly string[];
};

/** A port of this pod to which the kernel redirects whoever calls it. */
export function capturedPort(port: number): Inbound {
  const listen = { address: '0.0.0.0', port };
  return { listen, application: listen, edge: false, captured: true };
}

/** `10.0.0.1:80`, `[::1]:80`: the form in which Envoy prints an address, and so the name of a virtual host. */
export function formatAddress({ address, port }: Address): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
