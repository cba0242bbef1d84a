// One valid document to one rule: lower case, bytes and reasons are made here, so that no request pays for them.

import type { Document } from '../documents/parse.ts';
import { quoted } from '../documents/value.ts';
import { type Label, parseLabel } from '../traffic/label.ts';
import { bytesOf } from '../traffic/request.ts';
import type { Key, TrafficRule, WorkloadRule } from './compile.ts';
import type { TrafficLabelRule, WorkloadLabelRule } from './document.ts';
import type { Loss } from './match.ts';

/** The rule that a valid document means. */
export function trafficRule(document: Document, { spec }: TrafficLabelRule): TrafficRule {
  const name = nameOf(document);
  const loss = (reason: string): Loss => ({ rule: name, reason });
  const percentage = `percentage ${spec.percentage}`;
  return {
    name,
    namespace: document.namespace,
    selector: Object.entries(spec.selector ?? {}),
    label: labelOf(spec.trafficLabel),
    onFailure: spec.onFailure,
    conditions: spec.match.map((condition) => {
      const value = String(condition.value);
      const subject = [condition.type, condition.key].filter((part) => part !== undefined).join(' ');
      return { ...keyOf(condition), value: bytesOf(value), loss: loss(`${subject} is not ${quoted(value)}`) };
    }),
    share: spec.percentage === undefined ? undefined : Math.round(spec.percentage * 100),
    stickyBy: spec.stickyBy && keyOf(spec.stickyBy),
    priority: spec.priority,
    losses: {
      empty: loss('no conditions'),
      notChosen: loss(`${percentage}: not among the chosen`),
      nothingToStickBy: loss(`${percentage}: no value to stick by`),
    },
    place: document.place([]),
  };
}

/** The rule that a valid document means. */
export function workloadRule(document: Document, { spec }: WorkloadLabelRule): WorkloadRule {
  const { db, table } = spec.selector;
  const shadowOf = spec.shadowOf;
  return {
    name: nameOf(document),
    namespace: document.namespace,
    labels: spec.workloadLabels.map(labelOf),
    selector: db === undefined ? Object.entries(spec.selector) : [],
    database:
      db === undefined
        ? undefined
        : { db, ...(table !== undefined && { table }), ...(shadowOf !== undefined && { shadowOf }) },
    place: document.place([]),
  };
}

function keyOf({ type, key = '' }: { type: Key['type']; key?: string | undefined }): Key {
  return { type, key: bytesOf(type === 'header' ? key.toLowerCase() : key) };
}

function labelOf(text: string): Label {
  const label = parseLabel(text);
  if (label === undefined) throw new Error(`the schema let through the label ${quoted(text)}`);
  return label;
}

function nameOf(document: Document): string {
  return `${document.namespace}/${document.name}`;
}
