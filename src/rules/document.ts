// What operators write: the kinds in force. One schema gives the types, the validation and later the CRDs.

import { z } from 'zod';
import { listed } from '../documents/value.ts';
import { labelGrammar, parseLabel } from '../traffic/label.ts';
import { conditionMistakes, type Mistake, selectorMistakes, stickyByMistakes, trafficMistakes } from './mistakes.ts';

export const conditionsInForce = ['=='] as const;
export const typesInForce = ['header', 'path', 'query', 'cookie'] as const;
const laterConditions = ['!=', 'in', 'notIn', 'prefix', 'suffix', 'regex', 'exists', 'absent'];
const laterTypes = ['method', 'host', 'sourceIp', 'sourceLabel'];

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

const type = oneOf(typesInForce, laterTypes);
const key = someText.optional();

const condition = seen(
  z.strictObject({
    condition: oneOf(conditionsInForce, laterConditions),
    type,
    key,
    value: z.union([text, z.number(), z.boolean()]).describe('Compared byte for byte.'),
  }),
  conditionMistakes,
);

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
      match: z.array(condition).describe('Conditions that must all hold.'),
      anyOf: z.never('which is not supported yet; expected one rule for each of its lists').optional(),
      onFailure: z
        .enum(['base', 'refuse'])
        .default('base')
        .describe('refuse: 503 where the label cannot be decided, or its lane is missing or dead; never base.'),
      priority: priority.default(0),
      percentage: percentage.optional(),
      stickyBy: seen(z.strictObject({ type, key }), stickyByMistakes).optional(),
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

export type TrafficLabelRule = z.infer<typeof trafficLabelRule>;
export type WorkloadLabelRule = z.infer<typeof workloadLabelRule>;

/** One of the words in force; those that the language has, but that are not in force, are refused with that reason. */
function oneOf<const Words extends readonly [string, ...string[]]>(words: Words, later: readonly string[]) {
  const expected = `expected ${listed(words)}`;
  return z.enum(words, {
    error: ({ input }) => (later.includes(String(input)) ? `which is not supported yet; ${expected}` : undefined),
  });
}

/** Looks for mistakes between fields. Zod would skip that beside other mistakes; operators want to see all at once. */
function seen<S extends z.ZodType>(schema: S, mistakesOf: (value: unknown) => Mistake[]): S {
  return schema.superRefine(
    (value, context) => {
      for (const { path, message } of mistakesOf(value)) context.addIssue({ code: 'custom', path, message });
    },
    { when: () => true },
  );
}
