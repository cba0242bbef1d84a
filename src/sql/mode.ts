// How a server reads SQL: what changes where a token ends, and when two names are one.

/** What a session has set, and what its server is. */
export type Mode = {
  /** `"x"` is a name, not a string (sql_mode ANSI_QUOTES). */
  readonly ansiQuotes: boolean;
  /** `\` is a byte like others in strings (sql_mode NO_BACKSLASH_ESCAPES). */
  readonly noBackslashEscapes: boolean;
  /** sql_mode ORACLE, where MariaDB has another grammar: `seq.nextval` is no column. */
  readonly oracle: boolean;
  /**
   * Of the client's character set, what matters here: `bytes` where every byte below 0x80 is a character of its own and all
   * above are letters, those of the server's own names (UTF-8); `euc` where they are letters that it writes otherwise;
   * `single` where some are white space (Latin-1 has one at 0xA0, and the server takes it for one); in `big5` and those
   * behind it 0x5C (a backslash) or 0x60 (a backquote) may be the end of a character. Of `other` nothing is known.
   */
  readonly charset: 'bytes' | 'euc' | 'single' | 'big5' | 'gbk' | 'gb18030' | 'sjis' | 'other';
  /** Which comments `/*!80000 … *\/` are code: 101104 is MariaDB 10.11.4, 80036 MySQL 8.0.36. */
  readonly server: { readonly flavour: 'mariadb' | 'mysql'; readonly version: number };
  /** Names of databases and tables are compared without case (lower_case_table_names is not 0). */
  readonly namesIgnoreCase: boolean;
};

/** What a server is taken for of which nothing is known yet. */
export const plainMode: Mode = {
  ansiQuotes: false,
  noBackslashEscapes: false,
  oracle: false,
  charset: 'bytes',
  server: { flavour: 'mariadb', version: 101100 },
  namesIgnoreCase: false,
};

/** What a server is by its version, as it says it. */
export function serverOf(version: string): Mode['server'] {
  const isMaria = /mariadb/i.test(version);
  // MariaDB behind `5.5.5-`: so that replicas of old servers took it for one of theirs.
  const [, major = '0', minor = '0', patch = '0'] = /^(?:5\.5\.5-(?=\d))?(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  return {
    flavour: isMaria ? 'mariadb' : 'mysql',
    version: Number(major) * 10_000 + Number(minor) * 100 + Number(patch),
  };
}

/** Modes that quote names as ANSI does, those among them that stand for several. */
const ansi = new Set(['ANSI_QUOTES', 'ANSI', 'DB2', 'MAXDB', 'MSSQL', 'ORACLE', 'POSTGRESQL']);

/** The mode with a value of sql_mode, as it is set or as the server says it. */
export function withSqlMode(mode: Mode, sqlMode: string): Mode {
  const names = sqlMode
    .toUpperCase()
    .split(',')
    .map((name) => name.trim());
  return {
    ...mode,
    ansiQuotes: names.some((name) => ansi.has(name)),
    noBackslashEscapes: names.includes('NO_BACKSLASH_ESCAPES'),
    oracle: names.includes('ORACLE'),
  };
}

/** All that a client may have, in MySQL up to 9 or in MariaDB up to 12, but swe7: of it `[`, `^`, `{` and `~` are letters. */
const charsets = new Map<string, Mode['charset']>([
  ['big5', 'big5'],
  ['gbk', 'gbk'],
  ['gb18030', 'gb18030'],
  ['sjis', 'sjis'],
  ['cp932', 'sjis'],
  // What a session that says `binary` sends is in whatever it thinks; names are compared as bytes.
  ...['utf8', 'utf8mb3', 'utf8mb4', 'binary'].map((name) => [name, 'bytes'] as const),
  ...['ujis', 'eucjpms', 'euckr', 'gb2312'].map((name) => [name, 'euc'] as const),
  ...[
    ...['ascii', 'latin1', 'latin2', 'latin5', 'latin7', 'dec8', 'hp8', 'greek', 'hebrew', 'tis620', 'koi8r', 'koi8u'],
    ...['cp850', 'cp852', 'cp866', 'cp1250', 'cp1251', 'cp1256', 'cp1257', 'keybcs2', 'macce', 'macroman', 'armscii8'],
    'geostd8',
  ].map((name) => [name, 'single'] as const),
]);

/** The mode with a value of character_set_client. */
export function withCharset(mode: Mode, charset: string): Mode {
  return { ...mode, charset: charsets.get(charset.toLowerCase()) ?? 'other' };
}

/** What it is of the mode for which nothing is read in it; undefined where all can be. */
export function unreadable({ charset, oracle, server }: Mode): string | undefined {
  if (charset === 'other') return 'a text in a charset of which is not known what its letters are';
  return oracle && server.flavour === 'mariadb' ? "a text in the grammar of MariaDB's sql_mode ORACLE" : undefined;
}
