// What becomes of one statement: whose it is, what that makes of it, and where it goes.

import type { Instance, LaneShadows, ShadowMap } from '../../shadow/map.ts';
import type { Analysis } from '../../sql/analysis.ts';
import { divert } from '../../sql/divert.ts';
import { namesMapped } from '../../sql/mapped.ts';
import type { Mode } from '../../sql/mode.ts';
import type { TableName } from '../../sql/shadows.ts';
import type { Label } from '../../traffic/label.ts';
import type { Attribution, Attributor, By, Carriers } from '../label/attribution.ts';
import type { ProxyOptions } from '../options.ts';
import type { Memory } from './memory.ts';

export type Judgement =
  | Refusal
  | (Allowed & ({ readonly do: 'pass' } | { readonly do: 'rewrite'; readonly text: string }));

export type Refusal = { readonly do: 'refuse'; readonly reason: string; readonly message: string };

type Allowed = {
  /** undefined: it is of base. */
  readonly label: Label | undefined;
  readonly by: By;
  /** Where it goes, if not to the server that the client asked for. */
  readonly instance: Instance | undefined;
};

/** A text and all on which its judgement rests. */
export type Case = {
  readonly text: string;
  readonly mode: Mode;
  readonly database: string | undefined;
  /** On the client's own server. */
  readonly temporary: ReadonlySet<string>;
  readonly carriers: Carriers;
  /** Names of statements that were prepared by text, and for whom. */
  readonly texts: ReadonlyMap<string, string>;
};

export type Judge = {
  /** A promise only where a trace must be looked up. HOT */
  judge(statement: Case): Judgement | Promise<Judgement>;
};

export type JudgeOptions = {
  readonly options: ProxyOptions;
  readonly attributor: Attributor;
  readonly memory: Memory;
};

const nowhere: LaneShadows = { shadowOf: () => undefined, isShadow: () => false, instanceOf: () => undefined };
const none: ReadonlySet<string> = new Set();

export function createJudge({ options, attributor, memory }: JudgeOptions): Judge {
  return {
    judge(statement) {
      const map = mapFor(statement.mode);
      if (map.isEmpty) return base('none');
      const attribution = attributor.attribute(statement.carriers, map.hints);
      return attribution instanceof Promise
        ? attribution.then((found) => judgeFor(statement, found, map))
        : judgeFor(statement, attribution, map);
    },
  };

  function mapFor({ namesIgnoreCase }: Mode): ShadowMap {
    const map = options.shadows();
    return namesIgnoreCase ? map.ignoringCase : map;
  }

  function judgeFor(statement: Case, attribution: Attribution, map: ShadowMap): Judgement {
    if (attribution.refusal !== undefined) return { do: 'refuse', reason: 'carrier', message: attribution.refusal };
    const { label, by } = attribution;
    if (label !== undefined) return judgeOf(statement, { label, by, map });
    const isSilent = by === 'none' && options.isRemembering();
    return isSilent ? judgeSilent(statement, map) : base(by);
  }

  /** A statement of a base workload that says nothing, while somewhere a request with a label may be on its way. */
  function judgeSilent(statement: Case, map: ShadowMap): Judgement {
    const analysis = memory.analysisOf(statement.text, statement.mode);
    const labels = new Set<Label>();
    const isMapped = (name: TableName): boolean => {
      const found = map.labelsOf(name);
      for (const label of found) labels.add(label);
      return found.length > 0;
    };
    const touched = namesMapped(analysis, statement.database, isMapped);
    if (!touched.read && !touched.written && !touched.unclear) return base('none');
    const isWrite = touched.written || touched.unclear;
    const policy = isWrite ? options.unattributed.writes : options.unattributed.reads;
    options.count({ what: 'unattributed', policy });
    if (policy === 'base') return base('none');
    const [label] = labels;
    if (policy === 'shadow' && labels.size === 1 && label !== undefined)
      return judgeOf(statement, { label, by: 'none', map });
    const what = touched.unclear
      ? 'a statement of which cannot be told what it touches'
      : `a ${isWrite ? 'write to' : 'read of'} a table with a shadow`;
    const wish =
      policy === 'refuse'
        ? 'a carrier in it'
        : `a carrier in it, or one label that has a shadow of all, not ${labels.size}`;
    return {
      do: 'refuse',
      reason: 'unattributed',
      message: `found ${what}, without a label while requests with labels are served; expected ${wish} (query attribute, user variable or comment with traceparent or baggage)`,
    };
  }

  function judgeOf(statement: Case, { label, by, map }: { label: Label; by: By; map: ShadowMap }): Judgement {
    const { text, mode, database } = statement;
    const lane = map.of(label) ?? nowhere;
    const analysis = memory.analysisOf(text, mode);
    const place = instanceOf(analysis, lane, database);
    if ('do' in place) return place;
    const prepared = preparedBy(statement, analysis, label);
    const { definitions } = options;
    // They are on the client's own server.
    const temporary = place.instance === undefined ? statement.temporary : none;
    const find = (given: string, found: Analysis) =>
      divert(given, found, { database, shadows: lane, definitions, temporary, prepared });
    const verdict =
      prepared === none
        ? memory.verdictOf(text, mode, { database, shadows: lane, temporary }, find)
        : find(text, analysis);
    if (verdict.do === 'refuse') return verdict;
    const { instance } = place;
    if (verdict.do === 'pass') return { do: 'pass', label, by, instance };
    return { do: 'rewrite', text: verdict.text, label, by, instance };
  }

  /** Of texts that name none it does not matter. */
  function preparedBy({ texts }: Case, { statements }: Analysis, label: Label): ReadonlySet<string> {
    const isNamed = texts.size > 0 && statements.some(({ prepared }) => prepared !== undefined);
    return isNamed ? new Set([...texts].filter(([, by]) => by === label).map(([name]) => name)) : none;
  }
}

function base(by: By): Judgement {
  return { do: 'pass', label: undefined, by, instance: undefined };
}

type Place = { readonly instance: Instance | undefined };

/** The server on which all tables of a text are; without tables, that of the default database. */
function instanceOf({ statements }: Analysis, lane: LaneShadows, database: string | undefined): Place | Refusal {
  let found: Instance | 'here' | undefined;
  for (const { tables } of statements)
    for (const table of tables) {
      const named = table.database ?? database;
      const place = (named === undefined ? undefined : lane.instanceOf(named)) ?? 'here';
      if (found !== undefined && found !== place)
        return {
          do: 'refuse',
          reason: 'two-servers',
          message:
            'found tables whose shadows are on different servers; expected them on one. Send a statement for each',
        };
      found = place;
    }
  if (found === undefined) return { instance: database === undefined ? undefined : lane.instanceOf(database) };
  return { instance: found === 'here' ? undefined : found };
}
