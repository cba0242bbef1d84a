// What Envoy does to headers before it matches routes, so that it holds while the processor is down.
import { allTraceHeaders, traceHeaders } from '../../propagation/trace.ts';
import { baggageMember, labelHeader } from '../../traffic/label.ts';
import { sourceHeader } from '../../traffic/source-labels.ts';
import { destinationHeader, type Resource, sentHeader, traceHeader, typeUrl } from '../resource.ts';

// CEL: an absent header is an error, and an error writes no header. A counted repetition ({0,61}) fails silently, so the
// grammar of the label is only approached here. `contains` first: the regular expression costs 45 us, the guard about one.
const member = `(^|,)\\\\s*${baggageMember}\\\\s*=`;
const baggage = "request.headers['baggage']";

const labelFromBaggage =
  `%CEL(!${baggage}.contains('${baggageMember}') ? '' : re.extract(${baggage}, ` +
  `'^(?:.*,)?\\\\s*${baggageMember}\\\\s*=\\\\s*([A-Za-z0-9][A-Za-z0-9._-]*)\\\\s*(?:[;,].*)?$', '\\\\1'))%`;

// No member: as it is. One: cut out. Several: somebody is playing, and the whole baggage goes.
const baggageWithoutMember =
  `%CEL(!${baggage}.contains('${baggageMember}') || !${baggage}.matches('${member}') ? ${baggage} : ` +
  `${baggage}.matches('${member}.*,\\\\s*${baggageMember}\\\\s*=') ? '' : ` +
  `re.extract(${baggage}, '^((?:.*[^, \\\\t])?)[ \\\\t,]*(?:^|,)\\\\s*${baggageMember}\\\\s*=[^,]*(,.*)?$', '\\\\1\\\\2'))%`;

const quarantine = 'x-lanekeeper-baggage';
const withoutLeadingComma = `%CEL(re.extract(request.headers['${quarantine}'], '^[,\\\\s]*(.*)$', '\\\\1'))%`;

/** At an edge: everything that could choose a lane is removed, also by saying who calls, and with `strip` the trace identity too. */
export function edgeMutations(edgeTrace: 'strip' | 'keep'): Resource[] {
  return [
    { remove: labelHeader },
    { remove: sourceHeader },
    { remove_on_match: { key_matcher: { prefix: 'x-lanekeeper-' } } },
    { remove_on_match: { key_matcher: { prefix: 'x-envoy-' } } },
    // A stranger who repeats a remembered trace would be given its label.
    ...(edgeTrace === 'strip' ? allTraceHeaders.map((name) => ({ remove: name })) : []),
    overwrite(quarantine, baggageWithoutMember),
    { remove: 'baggage' },
    addIfAbsent('baggage', withoutLeadingComma),
    { remove: quarantine },
    ...(edgeTrace === 'keep' ? traceMutations() : []),
  ];
}

/** On a mesh port: the baggage member becomes the label header where there is none. Header beats baggage. */
export const meshMutations: readonly Resource[] = [
  { remove_on_match: { key_matcher: { prefix: 'x-lanekeeper-' } } },
  addIfAbsent(labelHeader, labelFromBaggage),
  ...traceMutations(),
];

/** On the way out: as on a mesh port, the true destination becomes the key of the virtual host, and routes say who calls. */
export const outboundMutations: readonly Resource[] = [
  { remove: sourceHeader },
  { remove_on_match: { key_matcher: { prefix: 'x-lanekeeper-' } } },
  overwrite(destinationHeader, '%DOWNSTREAM_LOCAL_ADDRESS%'),
  addIfAbsent(sentHeader, `%REQ(${labelHeader})%`),
  addIfAbsent(labelHeader, labelFromBaggage),
  ...traceMutations(),
];

/** The extension of a connection manager that carries the mutations. In order: what one wrote, the next one sees. */
export function earlyMutation(mutations: readonly Resource[]): Resource {
  return {
    name: 'envoy.http.early_header_mutation.header_mutation',
    typed_config: {
      '@type': typeUrl('extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation'),
      mutations,
    },
  };
}

function traceMutations(): Resource[] {
  return traceHeaders.map((name) => addIfAbsent(traceHeader, `%REQ(${name})%`));
}

function addIfAbsent(key: string, value: string): Resource {
  return { append: { header: { key, value }, append_action: 'ADD_IF_ABSENT' } };
}

function overwrite(key: string, value: string): Resource {
  return { append: { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' } };
}
