// The three kinds of Kubernetes that are read, as `kubectl get services,endpointslices,pods -o yaml` writes them.
import type { Document } from '../../documents/parse.ts';
import { validateFields } from '../../documents/validate.ts';
import type { Problem } from '../../problem.ts';
import { podObject, serviceObject, sliceObject } from './document.ts';
import { type Pod, toPod } from './pods.ts';
import { type KubernetesService, toKubernetesService } from './service.ts';
import { type Slice, toSlice } from './slices.ts';

export type KubernetesMeaning =
  | { readonly kind: 'kubernetes service'; readonly service: KubernetesService }
  | { readonly kind: 'slice'; readonly slice: Slice }
  | { readonly kind: 'pod'; readonly pod: Pod };

type Outcome = { readonly meaning?: KubernetesMeaning; readonly problems: readonly Problem[] };

export function isKubernetes({ apiVersion, kind }: Document): boolean {
  return apiVersion === 'v1' ? kind === 'Service' || kind === 'Pod' : isSlice(apiVersion, kind);
}

export function readKubernetes(document: Document): Outcome {
  if (isSlice(document.apiVersion, document.kind)) {
    const result = validateFields(document, sliceObject);
    if (!result.ok) return result;
    const { slice, problems } = toSlice(document, result.value);
    return { meaning: { kind: 'slice', slice }, problems };
  }
  if (document.kind === 'Pod') {
    const result = validateFields(document, podObject);
    if (!result.ok) return result;
    const { pod, problems } = toPod(document, result.value);
    return { meaning: { kind: 'pod', pod }, problems };
  }
  const result = validateFields(document, serviceObject);
  if (!result.ok) return result;
  const { service, problems } = toKubernetesService(document, result.value);
  return { meaning: { kind: 'kubernetes service', service }, problems };
}

/** The value of a document without the many fields that nobody reads: what is worth keeping of it. */
export function trimmed(document: Document): unknown {
  const { value, apiVersion, kind, namespace, name, creationTimestamp } = document;
  const parsed = isKubernetes(document) ? schemaOf(document).safeParse(value) : undefined;
  if (!parsed?.success) return value;
  const metadata = { name, namespace, ...(creationTimestamp !== undefined && { creationTimestamp }) };
  return { apiVersion, kind, ...parsed.data, metadata: { ...metadata, ...parsed.data.metadata } };
}

function schemaOf({ kind }: Document): typeof sliceObject | typeof podObject | typeof serviceObject {
  if (kind === 'EndpointSlice') return sliceObject;
  return kind === 'Pod' ? podObject : serviceObject;
}

function isSlice(apiVersion: string, kind: string): boolean {
  return apiVersion === 'discovery.k8s.io/v1' && kind === 'EndpointSlice';
}
