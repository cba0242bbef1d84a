// One document and all that can be said of it alone. It is held against its schema once, however often it is assembled.
import type { Document } from '../../documents/parse.ts';
import type { Problem } from '../../problem.ts';
import { type Compiled, compileDocument, isRule } from '../../rules/compile.ts';
import type { KubernetesMeaning } from '../kubernetes/kinds.ts';
import { isKubernetes, readKubernetes } from '../kubernetes/kinds.ts';
import type { Draft } from '../mesh.ts';
import { isService, readService } from './draft.ts';

export type Meaning =
  | { readonly kind: 'rules'; readonly compiled: Compiled }
  | { readonly kind: 'service'; readonly draft: Draft }
  | KubernetesMeaning
  /** A document of somebody else, or a wrong one. */
  | { readonly kind: 'nothing' };

export type Reading = {
  readonly document: Document;
  /** What it is the only one of: `Service shop/orders`. */
  readonly key: string;
  /** The key and the file: two wrong twins do not share a last good form. */
  readonly position: string;
  readonly isRight: boolean;
  readonly problems: readonly Problem[];
  readonly meaning: Meaning;
};

const readings = new WeakMap<Document, Reading>();

export function readingOf(document: Document): Reading {
  const known = readings.get(document);
  if (known !== undefined) return known;
  const { meaning = { kind: 'nothing' } as const, problems } = read(document);
  const key = keyOf(document);
  const isRight = !problems.some(isError);
  const reading: Reading = { document, key, position: `${key} ${document.file}`, isRight, problems, meaning };
  readings.set(document, reading);
  return reading;
}

export const isError = (problem: Problem): boolean => problem.severity === 'error';

function read(document: Document): { meaning?: Meaning | undefined; problems: readonly Problem[] } {
  if (isRule(document)) {
    const { compiled, problems } = compileDocument(document);
    return { meaning: { kind: 'rules', compiled }, problems };
  }
  if (isService(document)) {
    const { draft, problems } = readService(document);
    return { meaning: draft && { kind: 'service', draft }, problems };
  }
  return isKubernetes(document) ? readKubernetes(document) : { problems: [notOurs(document)] };
}

/** By what reads it, not by its apiVersion: a misspelt one must not lose the last good form. */
function keyOf(document: Document): string {
  const { apiVersion, kind, namespace, name } = document;
  const isOurs = isRule(document) || isService(document) || isKubernetes(document);
  return `${isOurs ? '' : `${apiVersion} `}${kind} ${namespace}/${name}`;
}

function notOurs(document: Document): Problem {
  return {
    severity: 'warning',
    ...document.place(['kind']),
    path: 'kind',
    message: `found ${document.kind} of ${document.apiVersion}, which is not read here; expected a rule of traffic.opensergo.io/v1alpha1, a Service of lanekeeper.io/v1alpha1, or Kubernetes' Service, EndpointSlice or Pod`,
  };
}
