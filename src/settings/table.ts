// Every setting of a sidecar: one table for parsing, `--help` and the README.

type Setting = { readonly fallback: string; readonly value: string; readonly help: string };

/** Every setting by its flag; the environment variable is `LANEKEEPER_` and the flag in capitals. */
export const settingTable = {
  config: { value: 'PATH,…', fallback: '', help: 'files or folders with rules and services; watched' },
  nacos: {
    value: 'HOST:PORT,…',
    fallback: '',
    help: 'servers of a Nacos registry (HTTP port; gRPC is 1000 above); what --config says of a service wins',
  },
  'nacos-namespace': { value: 'ID,…', fallback: 'public', help: 'namespaces of the registry' },
  'nacos-group': { value: 'NAME,…', fallback: 'DEFAULT_GROUP', help: 'groups of services' },
  'nacos-services': { value: 'NAME,…', fallback: 'all', help: 'services to subscribe, where not all' },
  'nacos-rules': {
    value: 'DATA-ID[@GROUP],…',
    fallback: '',
    help: 'configurations of Nacos that hold rules; groups default to DEFAULT_GROUP',
  },
  'nacos-user': { value: 'NAME', fallback: '', help: 'user of the registry' },
  'nacos-password-file': { value: 'FILE', fallback: '', help: "file with that user's password" },
  name: { value: 'NAME', fallback: 'the host name', help: 'unique name of this pod' },
  namespace: { value: 'NAME', fallback: 'default', help: 'namespace of this workload' },
  labels: { value: 'KEY=VALUE,…', fallback: '', help: 'labels of this workload, which rules select' },
  service: { value: 'NAME', fallback: '', help: 'the service that this pod is an instance of' },
  gateway: {
    value: '[ADDRESS:]PORT',
    fallback: '',
    help: 'listen as a gateway: an edge that routes by the paths of services',
  },
  inbound: {
    value: '[ADDRESS:]PORT=[ADDRESS:]PORT[/edge],…',
    fallback: '',
    help: 'ports of this pod, and where the application is behind each; with --intercept its own ports: 8080/edge',
  },
  outbound: {
    value: '[ADDRESS:]PORT=SERVICE[:PORT],…',
    fallback: '',
    help: 'local ports that the application calls in place of services',
  },
  intercept: {
    value: 'yes|no|OUTBOUND:INBOUND[:MARK]',
    fallback: 'no',
    help: 'connections are redirected here (lanekeeper redirect): to ports 15001 and 15006, or to others; a mark where it goes by marks',
  },
  calls: {
    value: 'SERVICE,…',
    fallback: 'all',
    help: 'with --intercept: the services that the application calls; what it does not name passes through',
  },
  database: {
    value: '[ADDRESS:]PORT=HOST:PORT,…',
    fallback: '',
    help: 'local ports that the application calls in place of servers of MySQL or MariaDB',
  },
  'database-ports': {
    value: 'PORT,…|none',
    fallback: '3306',
    help: 'with --intercept: ports of servers of MySQL or MariaDB, whatever their address',
  },
  'database-unattributed': {
    value: 'writes=POLICY,reads=POLICY',
    fallback: 'writes=refuse,reads=base',
    help: 'refuse, shadow or base: a statement on a table with a shadow that says no label, while labels are remembered',
  },
  'database-definitions': {
    value: 'refuse|shadow',
    fallback: 'refuse',
    help: 'DDL of a label: refused, or done to the shadow alone',
  },
  'database-statement-bytes': {
    value: 'N',
    fallback: '16777216',
    help: 'the longest statement that is read; longer ones of a label are refused, of base they pass',
  },
  'database-certificate': {
    value: 'FILE',
    fallback: '',
    help: 'PEM: applications may use TLS, and who does is served over TLS to the server as well; without one nobody may',
  },
  'database-key': { value: 'FILE', fallback: '', help: 'PEM: key of that certificate' },
  'database-authority': {
    value: 'FILE',
    fallback: 'none: not checked',
    help: 'PEM: authority that the certificates of servers are checked against',
  },
  'database-check': {
    value: 'warn|refuse|no',
    fallback: 'warn',
    help: 'what is said at the start of views, triggers, keys and routines that reach a base table behind the text',
  },
  'database-user': { value: 'NAME', fallback: '', help: 'user of that check; without one there is none' },
  'database-password-file': { value: 'FILE', fallback: '', help: "file with that user's password" },
  propagation: {
    value: 'trace|header',
    fallback: 'trace',
    help: 'correlate labels by trace as well, or only by what is forwarded',
  },
  'edge-trace': {
    value: 'strip|keep',
    fallback: 'strip',
    help: 'keep: strangers choose the trace at edges (a risk, see Limits)',
  },
  'trusted-hops': {
    value: 'N',
    fallback: '0',
    help: "proxies before an edge whose word in X-Forwarded-For on the caller's address counts",
  },
  'trusted-peers': {
    value: 'CIDR,…',
    fallback: 'everybody',
    help: 'who may send labels to ports that are no edges; others are met as at an edge',
  },
  snapshot: {
    value: 'FILE',
    fallback: 'last-good.json in --run-dir',
    help: 'where rules and services that were good outlive this process, for a start without their source',
  },
  'run-dir': { value: 'FOLDER', fallback: '/run/lanekeeper', help: "sockets and Envoy's files; one a sidecar" },
  admin: { value: '[ADDRESS:]PORT', fallback: '127.0.0.1:15020', help: '/live, /ready, /metrics, /problems' },
  envoy: { value: 'FILE|external', fallback: 'ENVOY, the PATH, or the cache', help: 'the Envoy 1.40 to start' },
  concurrency: { value: 'N', fallback: '1', help: 'worker threads of Envoy' },
  'access-log': { value: 'FILE|stdout', fallback: 'none', help: 'JSON access log of Envoy' },
  'envoy-log-level': {
    value: 'LEVEL',
    fallback: 'warning',
    help: 'trace, debug, info, warning, error, critical or off',
  },
  'log-level': { value: 'LEVEL', fallback: 'info', help: 'trace, debug, info, warn, error or silent' },
  'memory-entries': { value: 'N', fallback: '100000', help: 'traces whose label is remembered at most' },
  'memory-bytes': { value: 'N', fallback: '67108864', help: 'size of the label memory at most' },
  'memory-ttl': {
    value: 'DURATION',
    fallback: '60s',
    help: 'how long a label is remembered after its trace was last seen',
  },
  drain: { value: 'DURATION', fallback: '10s', help: 'how long requests in flight may take after SIGTERM' },
  'take-over': {
    value: 'yes|no',
    fallback: 'no',
    help: 'take the place of the lanekeeper that runs with this run-dir, with its memory and its Envoy',
  },
  'socket-group': {
    value: 'GID',
    fallback: '',
    help: "numeric group that may reach the processor's socket, besides this user",
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settingTable;

/** The variable of a flag: `run-dir` is `LANEKEEPER_RUN_DIR`. */
export const variableOf = (name: string): string => `LANEKEEPER_${name.toUpperCase().replaceAll('-', '_')}`;
