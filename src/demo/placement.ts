// Where the processes of a demo run, and by which addresses they reach each other.
import type { Child, Within } from './child.ts';
import type { Member, ServiceName } from './topology.ts';

export type Placement = {
  /** Where callers reach a member: its Envoy. */
  endpoint(member: Member): { readonly address: string; readonly port: number };
  /** Addresses that stand for all instances of a service. */
  addresses(service: ServiceName): readonly string[];
  application(member: Member): { readonly within: Within; readonly env: Readonly<Record<string, string>> };
  sidecar(member: Member): SidecarPlace;
  readonly gateway: SidecarPlace;
  /** Lets the sidecars read these files and folders, and write in those. */
  share(shared: { readonly read: readonly string[]; readonly write: readonly string[] }): Promise<void>;
  /** Leads the demo's port of this machine to the gateway, where that one does not listen on it itself. */
  openPort(): Promise<Child>[];
  /** What a person can do here besides calling the gateway. */
  readonly hint: string;
  /** When all processes have ended. */
  close(): Promise<void>;
};

export type SidecarPlace = { readonly within: Within; readonly flags: readonly string[] };
