// What Envoy would do with a request: the route tables that we render, matched here. `lanekeeper explain` shows it.

import { bytesOf, type Request } from '../../traffic/request.ts';
import { processorFilter, type Resource } from '../resource.ts';

export type Route = {
  readonly name: string;
  /** The filter of the processor is on. */
  readonly asks: boolean;
  readonly cluster: string | undefined;
  /** Body of Envoy's own answer, where it answers. */
  readonly refusal: string | undefined;
  /** Headers that the route adds. */
  readonly adds: readonly { readonly key: string; readonly value: string }[];
};

export type Conditions = {
  /** What the processor answered, where it was asked. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Whether labels are remembered (`lanekeeper.remembering`). */
  readonly remembering?: boolean | undefined;
};

/**
 * The first route of a virtual host that matches. Knows the matches that this folder renders, no others: one that it does
 * not know throws, so that it cannot be wrong quietly.
 */
export function evaluate(host: Resource, request: Request, conditions: Conditions = {}): Route | undefined {
  const routes = host['routes'] as readonly RenderedRoute[];
  const found = routes.find(({ match }) => matches(match, request, conditions));
  return (
    found && {
      name: found.name,
      asks: found.typed_per_filter_config?.[processorFilter] !== undefined,
      cluster: found.route?.cluster,
      refusal: found.direct_response?.body.inline_string.trim(),
      adds: (found.request_headers_to_add ?? []).map(({ header }) => header),
    }
  );
}

type RenderedRoute = {
  readonly name: string;
  readonly match: Resource;
  readonly route?: { readonly cluster: string };
  readonly direct_response?: { readonly body: { readonly inline_string: string } };
  readonly request_headers_to_add?: readonly { readonly header: { readonly key: string; readonly value: string } }[];
  readonly typed_per_filter_config?: Readonly<Record<string, unknown>>;
};

type StringMatch = {
  readonly exact?: string;
  readonly prefix?: string;
  readonly suffix?: string;
  readonly ignore_case?: boolean;
  readonly safe_regex?: { readonly regex: string };
};

type HeaderMatch = {
  readonly name: string;
  readonly string_match?: StringMatch;
  readonly present_match?: boolean;
  readonly invert_match?: boolean;
  readonly treat_missing_header_as_empty?: boolean;
};

type MetadataMatch = {
  readonly path: readonly { readonly key: string }[];
  readonly value: { readonly string_match?: StringMatch; readonly present_match?: boolean };
};

/** True where Envoy's route match takes the request; `test/gate/on-envoy.test.ts` proves that Envoy agrees. */
export function matches(match: Resource, request: Request, conditions: Conditions = {}): boolean {
  const path = request.path.replace(/[?#][\s\S]*$/, '');
  return Object.entries(match).every(([field, value]) => {
    switch (field) {
      case 'prefix':
        return path.startsWith(bytesOf(value as string));
      case 'path':
        return path === bytesOf(value as string);
      case 'safe_regex':
        return matchesText({ safe_regex: value as { regex: string } }, path);
      case 'path_separated_prefix':
        return path === bytesOf(value as string) || path.startsWith(`${bytesOf(value as string)}/`);
      case 'headers':
        return (value as readonly HeaderMatch[]).every((header) => matchesHeader(header, request));
      case 'dynamic_metadata':
        return (value as readonly MetadataMatch[]).every((metadata) => matchesMetadata(metadata, conditions));
      case 'runtime_fraction':
        return conditions.remembering === true;
      default:
        throw new Error(`a route match that is not known here: ${field}`);
    }
  });
}

function matchesHeader(header: HeaderMatch, request: Request): boolean {
  const value = headerOf(header.name, request) ?? (header.treat_missing_header_as_empty ? '' : undefined);
  if (header.present_match !== undefined)
    return ((value !== undefined) === header.present_match) !== (header.invert_match ?? false);
  // A header that is not there matches nothing, inverted or not.
  if (value === undefined || header.string_match === undefined) return false;
  return matchesText(header.string_match, value) !== (header.invert_match ?? false);
}

function matchesMetadata({ path, value }: MetadataMatch, { metadata }: Conditions): boolean {
  const found = metadata?.[path[0]?.key ?? ''];
  if (found === undefined) return false;
  return value.string_match === undefined ? value.present_match === true : matchesText(value.string_match, found);
}

function matchesText({ exact, prefix, suffix, ignore_case, safe_regex }: StringMatch, sent: string): boolean {
  const fold = (text: string) => (ignore_case ? text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) : text);
  const value = fold(sent);
  if (exact !== undefined) return value === fold(bytesOf(exact));
  if (prefix !== undefined) return value.startsWith(fold(bytesOf(prefix)));
  if (suffix !== undefined) return value.endsWith(fold(bytesOf(suffix)));
  if (safe_regex !== undefined) return re2(safe_regex.regex).test(value);
  throw new Error('a string match that is not known here');
}

/** The whole of a value. Envoy's regular expressions are about bytes: in UTF-8 `.` is a part of an ö. */
function re2(regex: string): RegExp {
  const spaces = '\\t\\n\\f\\r ';
  const bytes = bytesOf(regex).replace(/\[(?:\\[\s\S]|[^\]\\])*\]|\\[\s\S]|\./g, (text) => {
    if (text.startsWith('[')) return text.replaceAll('\\s', spaces);
    return { '.': '[^\\n]', '\\C': '[\\s\\S]', '\\s': `[${spaces}]`, '\\S': `[^${spaces}]` }[text] ?? text;
  });
  return new RegExp(`^(?:${bytes})$`);
}

function headerOf(name: string, request: Request): string | undefined {
  if (name === ':path') return request.path;
  if (name === ':method') return request.method;
  return request.header(name);
}
