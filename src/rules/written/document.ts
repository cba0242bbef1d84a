// What operators write: the kinds in force. One schema gives the types, the validation and later the CRDs.

import { z } from 'zod';
import { labelGrammar, parseLabel } from '../../traffic/label.ts';
import { conditionTypes, conditionWords } from '../conditions/condition.ts';
import { conditionMistakes, type Mistake, stickyByMistakes } from './condition-mistakes.ts';
import { laneMistakes, selectorMistakes, trafficMistakes } from './mistakes.ts';

const text = z.string();
const someText = text.min(1);
const texts = z.record(text, text);
const anything = z.unknown().optional();
const label = text.refine((value) => parseLabel(value) !== undefined, `expected a label: ${labelGrammar}`);
const name = text
  .max(253)
  .regex(
    /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/,
    'expected a name of lower-case letters, digits, "-" and ".", such as "gray-1"',
  );

/** ObjectMeta as an API server gives it; what nothing reads is accepted as it is. */
const metadata = z.strictObject({
  name,
  namespace: name.max(63).optional(),
  labels: texts.nullish(),
  annotations: texts.nullish(),
  creationTimestamp: z.iso.datetime({ offset: true }).nullish(),
  deletionGracePeriodSeconds: anything,
  deletionTimestamp: anything,
  finalizers: anything,
  generateName: anything,
  generation: anything,
  managedFields: anything,
  ownerReferences: anything,
  resourceVersion: anything,
  selfLink: anything,
  uid: anything,
});

const key = someText.optional();
const scalar = z.union([text, z.number(), z.boolean()]);
const manyValues = 1_000;
const manyLists = 100;

const condition = seen(
  z.strictObject({
    condition: z.enum(conditionWords),
    type: z.enum(conditionTypes),
    key,
    value: z
      .union([...scalar.options, z.array(scalar).max(manyValues)], {
        error: ({ input }) => (Array.isArray(input) ? `expected up to ${manyValues} strings in it` : undefined),
      })
      .describe('Compared byte for byte; of in and notIn a list; of exists and absent none.')
      .optional(),
  }),
  conditionMistakes,
);
const conditions = z.array(condition);

const priority = z
  .number()
  .refine(Number.isSafeInteger, 'expected an integer')
  .meta({ type: 'integer', description: 'Larger first.' });

const percentage = z
  .number()
  .min(0)
  .max(100)
  .refine((value) => Number(value.toFixed(2)) === value, 'expected at most two decimals')
  .describe('Of the requests that match.');

/** Which requests get a label. */
export const trafficLabelRule = z.strictObject({
  apiVersion: z.literal('traffic.opensergo.io/v1alpha1'),
  kind: z.literal('TrafficLabelRule'),
  metadata,
  spec: seen(
    z.strictObject({
      selector: texts
        .optional()
        .describe('Labels of the workloads where requests are labelled; every edge where absent.'),
      trafficLabel: label,
      match: conditions.describe('Conditions that must all hold.').optional(),
      anyOf: z.array(conditions).max(manyLists).describe('Lists, one of which must hold, beside match.').optional(),
      onFailure: z
        .enum(['base', 'refuse'])
        .default('base')
        .describe('refuse: 503 where the label cannot be decided, or its lane is missing or dead; never base.'),
      priority: priority.default(0),
      percentage: percentage.optional(),
      stickyBy: seen(z.strictObject({ type: z.enum(conditionTypes), key }), stickyByMistakes).optional(),
    }),
    trafficMistakes,
  ),
  status: anything,
});

/** Which workloads, databases and tables carry a label. */
export const workloadLabelRule = z.strictObject({
  apiVersion: z.literal('traffic.opensergo.io/v1alpha1'),
  kind: z.literal('WorkloadLabelRule'),
  metadata,
  spec: seen(
    z.strictObject({
      workloadLabels: z.array(label).min(1),
      selector: texts.describe('Labels of workloads; or db, and table.'),
      shadowOf: someText.optional().describe('The database or table that this one is the twin of.'),
    }),
    selectorMistakes,
  ),
  status: anything,
});

const stringMatch = z.strictObject({ exact: scalar.optional(), prefix: text.optional(), regex: text.optional() });

/** Which requests get a label, by what they are or by the workloads that they pass (draft of 2022-11). */
export const trafficLane = z.strictObject({
  apiVersion: z.literal('traffic.opensergo.io/v1alpha1'),
  kind: z.literal('TrafficLane'),
  metadata,
  spec: seen(
    z.strictObject({
      selector: texts.optional().describe('Labels of the workloads that the lane is about; every edge where absent.'),
      rules: z.strictObject({
        traffic: z
          .strictObject({
            http: z.strictObject({
              headers: z.array(z.record(text, z.unknown())).describe('Each: { NAME: , exact: VALUE }.').optional(),
              uri: stringMatch.optional(),
            }),
          })
          .describe('Requests that have these headers, all of them, and this path.')
          .optional(),
        workload: z
          .strictObject({ selector: texts })
          .describe('Every request that passes a workload with these labels.')
          .optional(),
        lane: z.strictObject({ name: label }),
        traceIdBaggage: text.optional(),
      }),
    }),
    laneMistakes,
  ),
  status: anything,
});

export type TrafficLane = z.infer<typeof trafficLane>;
export type TrafficLabelRule = z.infer<typeof trafficLabelRule>;
export type WorkloadLabelRule = z.infer<typeof workloadLabelRule>;

/** Looks for mistakes between fields. Zod would skip that beside other mistakes; operators want to see all at once. */
function seen<S extends z.ZodType>(schema: S, mistakesOf: (value: unknown) => Mistake[]): S {
  return schema.superRefine(
    (value, context) => {
      for (const { path, message } of mistakesOf(value)) context.addIssue({ code: 'custom', path: [...path], message });
    },
    { when: () => true },
  );
}
