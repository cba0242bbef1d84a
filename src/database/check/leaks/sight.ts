// Whether the user of a check may see what it looks for: what he may not see is left out, and would look like nothing.

import type { Connection } from 'mysql2/promise';
import type { Finding } from '../finding.ts';
import { rows, textOf } from '../schema.ts';

const needed = ['SELECT', 'TRIGGER', 'SHOW VIEW'];

/** One finding for each privilege that is missing on a database; of routines, whose bodies are in the tables of the server. */
export async function findBlindness(connection: Connection, databases: readonly string[]): Promise<Finding[]> {
  const grantee = `CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')`;
  const held = await rows(
    connection,
    `SELECT privilege_type AS privilege, NULL AS place FROM information_schema.user_privileges WHERE grantee = ${grantee}
     UNION ALL SELECT privilege_type, table_schema FROM information_schema.schema_privileges WHERE grantee = ${grantee}`,
  );
  const isHeld = (privilege: string, database?: string) =>
    held.some(
      (each) =>
        textOf(each['privilege']) === privilege &&
        (each['place'] === null || (database !== undefined && isLike(database, textOf(each['place']) ?? ''))),
    );
  const findings = databases.flatMap((database) =>
    needed
      .filter((privilege) => !isHeld(privilege, database))
      .map((privilege) => blindness('error', database, privilege, `GRANT ${privilege} ON \`${database}\`.*`)),
  );
  if (!isHeld('SELECT')) findings.push(blindness('warning', 'routines', 'SELECT of mysql.proc', 'GRANT SELECT ON *.*'));
  return findings;
}

/** A grant may be for a pattern. */
function isLike(name: string, pattern: string): boolean {
  const source = pattern.replace(/\\([_%])|([_%])|[.*+?^${}()|[\]\\]/g, (all, escaped, wild) => {
    if (escaped) return escaped;
    return wild === '_' ? '.' : wild === '%' ? '.*' : `\\${all}`;
  });
  return new RegExp(`^${source}$`, 'i').test(name);
}

function blindness(severity: Finding['severity'], where: string, privilege: string, grant: string): Finding {
  return {
    kind: 'server',
    severity,
    server: undefined,
    where,
    found: `a user without ${privilege}`,
    expected: 'one who sees all that is looked for; what he may not see looks like nothing',
    mend: `${grant} to the user of this check`,
    ddl: [],
  };
}
