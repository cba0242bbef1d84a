// An instance as Nacos has it → as the mesh has it; or what is wrong with it.
import { isMapping, quoted, shown } from '../../documents/value.ts';
import { serviceDocument } from '../../mesh/document.ts';
import type { Protocol } from '../../mesh/mesh.ts';
import { workloadLabelKey } from '../../mesh/workload.ts';
import { labelGrammar, parseLabel } from '../../traffic/label.ts';

export type Registered = {
  readonly address: string;
  readonly port: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly healthy: boolean;
  /** As Nacos has it: 1 is the usual one, 0 for none. */
  readonly weight: number;
  readonly zone?: string;
  readonly protocol: Protocol;
};

export type Read = { readonly ok: true; readonly instance: Registered } | { readonly ok: false; readonly why: string };

/** Spring drops the slash of a key that is not written in brackets. */
const labelKeys = [workloadLabelKey, 'traffic.opensergo.iolabel', 'OpenSergo-Label'];
const zoneKeys = ['zone', 'topology.kubernetes.io/zone'];
const addressSchema = serviceDocument.shape.spec.shape.instances.unwrap().element.shape.address;
const maxKey = 128;
const maxValue = 256;
const maxLabels = 64;

/** `isDubbo`: what it does not say is Dubbo's own protocol. */
export function readInstance(host: unknown, isDubbo: boolean): Read {
  if (!isMapping(host)) return { ok: false, why: `found ${shown(host)}, expected an instance` };
  const { ip, port, healthy, enabled, weight = 1 } = host;
  const where = `${String(ip).slice(0, 80)}:${String(port)}`;
  const metadata = textsOf(host['metadata']);
  const label = labelKeys.map((key) => metadata.get(key)).find((text) => text !== undefined && text !== '');
  const why =
    addressMistake(ip) ?? portMistake(port) ?? weightMistake(weight) ?? (label && labelMistake(label)) ?? undefined;
  if (why !== undefined) return { ok: false, why: `instance ${where}: ${why}` };
  const zone = zoneKeys.map((key) => metadata.get(key)).find((text) => text !== undefined && text !== '');
  return {
    ok: true,
    instance: {
      address: String(ip),
      port: Number(port),
      labels: labelsOf(metadata, label),
      healthy: healthy !== false,
      weight: enabled === false ? 0 : Number(weight),
      ...(zone !== undefined && zone.length <= maxValue && { zone }),
      protocol: protocolOf(metadata, Number(port), isDubbo),
    },
  };
}

function addressMistake(ip: unknown): string | undefined {
  const found = `found the address ${shown(ip)}`;
  if (!addressSchema.safeParse(ip).success)
    return `${found}, expected an IP address: names of hosts are not looked up; let it register its address`;
  if (ip === '0.0.0.0' || ip === '::')
    return `${found}, which nobody else can reach; let it register the address of its pod`;
  return undefined;
}

function portMistake(port: unknown): string | undefined {
  const isPort = typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535;
  return isPort ? undefined : `found port ${shown(port)}, expected 1 to 65535`;
}

function weightMistake(weight: unknown): string | undefined {
  const isWeight = typeof weight === 'number' && Number.isFinite(weight) && weight >= 0;
  return isWeight ? undefined : `found weight ${shown(weight)}, expected a number, 0 or more`;
}

/** Its traffic would be that of base. */
function labelMistake(text: string): string | undefined {
  const wrong = text.split(',').find((each) => parseLabel(each.trim()) === undefined);
  return wrong === undefined ? undefined : `found ${quoted(wrong.trim())}, expected a label: ${labelGrammar}`;
}

function labelsOf(metadata: ReadonlyMap<string, string>, label: string | undefined): Record<string, string> {
  const others = [...metadata]
    .filter(([key, text]) => !labelKeys.includes(key) && key.length <= maxKey && text.length <= maxValue)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, maxLabels);
  return Object.fromEntries([...(label === undefined ? [] : [[workloadLabelKey, label] as const]), ...others]);
}

function textsOf(metadata: unknown): ReadonlyMap<string, string> {
  if (!isMapping(metadata)) return new Map();
  const scalars = Object.entries(metadata).filter(
    ([key, value]) => key !== '__proto__' && ['string', 'number', 'boolean'].includes(typeof value),
  );
  return new Map(scalars.map(([key, value]) => [key, String(value)]));
}

const protocols: Readonly<Record<string, Protocol>> = {
  http: 'http',
  rest: 'http',
  http2: 'http2',
  h2c: 'http2',
  grpc: 'grpc',
  tri: 'grpc',
  dubbo: 'tcp',
  https: 'tcp',
  tcp: 'tcp',
};

/**
 * Spring says `secure`, Dubbo `protocol` for an interface, and for an application what stands behind each port in
 * `dubbo.endpoints`. HTTPS cannot be read, so that it passes through as bytes.
 */
function protocolOf(metadata: ReadonlyMap<string, string>, port: number, isDubbo: boolean): Protocol {
  if (metadata.get('secure') === 'true') return 'tcp';
  const said = (metadata.get('protocol') ?? endpointProtocol(metadata.get('dubbo.endpoints'), port))?.toLowerCase();
  const known = Object.hasOwn(protocols, said ?? '') ? protocols[said ?? ''] : undefined;
  return known ?? (isDubbo || metadata.has('dubbo.endpoints') ? 'tcp' : 'http');
}

function endpointProtocol(text: string | undefined, port: number): string | undefined {
  try {
    const endpoints: unknown = JSON.parse(text ?? '[]');
    const all = Array.isArray(endpoints) ? endpoints.filter(isMapping) : [];
    const protocol = all.find((endpoint) => endpoint['port'] === port)?.['protocol'];
    return typeof protocol === 'string' ? protocol : undefined;
  } catch {
    return undefined;
  }
}
