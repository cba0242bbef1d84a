// Writes proto/envoy-fields.json: the fields of every message that Envoy can be given, for src/xds/encode.ts.
//
//   node scripts/fields.ts PROTO     PROTO: the folder `proto` of the Rust crate that proto/README.md names
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

/** Where what we render begins; everything that these refer to follows. */
const roots = [
  'envoy.config.cluster.v3.Cluster',
  'envoy.config.endpoint.v3.ClusterLoadAssignment',
  'envoy.config.listener.v3.Listener',
  'envoy.config.route.v3.RouteConfiguration',
  'envoy.extensions.access_loggers.file.v3.FileAccessLog',
  'envoy.extensions.access_loggers.stats.v3.Config',
  'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog',
  'envoy.extensions.clusters.composite.v3.ClusterConfig',
  'envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor',
  'envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute',
  'envoy.extensions.filters.http.router.v3.Router',
  'envoy.extensions.filters.listener.original_dst.v3.OriginalDst',
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
  'envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation',
  'envoy.extensions.matching.common_inputs.network.v3.DestinationPortInput',
  'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
];

const target = fileURLToPath(new URL('../proto/envoy-fields.json', import.meta.url));
const [, , folder] = process.argv;
if (folder === undefined) throw new Error('found no folder of .proto files; usage: node scripts/fields.ts PROTO');

const root = new protobuf.Root();
const includes = [
  ...readdirSync(folder).map((name) => join(folder, name)),
  dirname(fileURLToPath(import.meta.resolve('protobufjs/package.json'))), // google/protobuf
];
root.resolvePath = (_, file) => includes.map((include) => join(include, file)).find(existsSync) ?? file;
for (const name of roots) root.loadSync(fileOf(name), { keepCase: true });
root.resolveAll();

const messages: Record<string, Record<string, [number, string, string?]>> = {};
const enums: Record<string, Record<string, number>> = {};
for (const name of [...roots, 'google.protobuf.StringValue']) add(root.lookupTypeOrEnum(name));
const sorted = <T>(all: Record<string, T>) =>
  Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
const line = ([name, value]: [string, unknown]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`;
const part = (all: Record<string, unknown>) => Object.entries(sorted(all)).map(line).join(',\n');
writeFileSync(target, `{"messages": {\n${part(messages)}\n}, "enums": {\n${part(enums)}\n}}\n`);
console.log(`${Object.keys(messages).length} messages, ${Object.keys(enums).length} enums`);

function add(type: protobuf.Type | protobuf.Enum): void {
  const name = type.fullName.slice(1);
  if (name in messages || name in enums) return;
  if (type instanceof protobuf.Enum) {
    enums[name] = type.values;
    return;
  }
  const fields: Record<string, [number, string, string?]> = {};
  messages[name] = fields;
  for (const field of type.fieldsArray) {
    field.resolve();
    if (field.options?.['deprecated']) continue; // Envoy refuses or warns
    const flag = flagOf(field);
    const kind = field.resolvedType?.fullName.slice(1) ?? field.type;
    fields[field.name] = flag === undefined ? [field.id, kind] : [field.id, kind, flag];
    if (field.resolvedType) add(field.resolvedType);
  }
}

/** `repeated`, the type of a map's keys, or `present` where a scalar is told from its default. */
function flagOf(field: protobuf.Field): string | undefined {
  if (field instanceof protobuf.MapField) return `map ${field.keyType}`;
  if (field.repeated) return 'repeated';
  return field.partOf ? 'present' : undefined;
}

/** The file of a message, by Envoy's habit of one folder a package: found by its text. */
function fileOf(name: string): string {
  const path = name.split('.').slice(0, -1).join('/');
  const within = includes.map((include) => join(include, path)).find(existsSync);
  const file = within && readdirSync(within).find((each) => each.endsWith('.proto') && declares(join(within, each)));
  if (file === undefined) throw new Error(`${name} is in no file of ${path}`);
  return `${path}/${file}`;

  function declares(each: string): boolean {
    return protobuf.parse(readFileSync(each, 'utf8'), { keepCase: true }).root.lookup(name) !== null;
  }
}
