// What operators write about databases: the kinds of OpenSergo's group `database` that are in force.

import { z } from 'zod';
import { labelGrammar, parseLabel } from '../../traffic/label.ts';

const text = z.string();
const someText = text.min(1, 'expected a name');
const scalar = z.union([text, z.number(), z.boolean()]);
const anything = z.unknown().optional();
const port = z.int().min(1, 'expected a port, 1 to 65535').max(65_535, 'expected a port, 1 to 65535');
const label = text.refine((value) => parseLabel(value) !== undefined, `expected a label: ${labelGrammar}`);

const envelope = {
  apiVersion: z.literal('database.opensergo.io/v1alpha1'),
  // The specification's own examples are called write_ds and shadow_db, which no API server takes.
  metadata: z.looseObject({ name: someText, namespace: someText.optional() }),
  status: anything,
};

const algorithm = z.strictObject({
  type: z.enum(['REGEX_MATCH', 'SIMPLE_HINT']),
  props: z.record(text, scalar).optional(),
});

/** Which data sources are the shadows of which, for whom. */
export const shadow = z.strictObject({
  ...envelope,
  kind: z.literal('Shadow'),
  spec: z.strictObject({
    workloadLabels: z.array(label).min(1).describe('Whose rows go there; every label where absent.').optional(),
    dataSources: z.record(text, z.strictObject({ sourceDataSourceName: someText, shadowDataSourceName: someText })),
    tables: z
      .record(
        text,
        z.strictObject({
          dataSourceNames: z.array(someText).min(1),
          shadowAlgorithmNames: z.array(someText).optional(),
        }),
      )
      .describe('All tables where absent.')
      .optional(),
    shadowAlgorithms: z.record(text, algorithm).optional(),
    defaultShadowAlgorithmName: someText.optional(),
  }),
});

/** `jdbc:mysql://192.168.1.110:3306/demo_ds?useSSL=false`; scheme, host, port, database. */
export const sourceUrl = /^(?:jdbc:)?(?:mysql|mariadb):\/\/(\[[^\]]+\]|[^:/?#]+)(?::(\d{1,5}))?\/([^/?#]+)(?:\?.*)?$/;

/** A database as it really is. */
export const databaseEndpoint = z.strictObject({
  ...envelope,
  kind: z.literal('DatabaseEndpoint'),
  spec: z.strictObject({
    database: z.strictObject({
      MySQL: z.strictObject({
        url: text.regex(sourceUrl, 'expected the form jdbc:mysql://HOST:PORT/DATABASE'),
        username: text.optional(),
        password: text.optional(),
        passwordFile: someText.describe('Ours: a file with the password, such as a mounted Secret.').optional(),
        connectionTimeout: anything,
        idleTimeoutMilliseconds: anything,
        maxLifetimeMilliseconds: anything,
        maxPoolSize: anything,
        minPoolSize: anything,
      }),
      connectionPool: anything,
    }),
  }),
});

/** A database as applications name it. */
export const virtualDatabase = z.strictObject({
  ...envelope,
  kind: z.literal('VirtualDatabase'),
  spec: z.strictObject({
    services: z
      .array(
        z.strictObject({
          name: someText,
          databaseMySQL: z.strictObject({
            db: someText,
            host: someText.optional(),
            port: port.optional(),
            user: text.optional(),
            password: text.optional(),
          }),
          shadow: someText.describe('Name of a Shadow.').optional(),
          readWriteSplitting: someText.optional(),
          sharding: someText.optional(),
          encryption: someText.optional(),
          distributedTransaction: someText.optional(),
        }),
      )
      .min(1),
  }),
});

export type Shadow = z.infer<typeof shadow>;
export type DatabaseEndpoint = z.infer<typeof databaseEndpoint>;
export type VirtualDatabase = z.infer<typeof virtualDatabase>;
