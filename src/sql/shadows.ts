// What a label turns tables into, as far as SQL must know.

/** Names as they are, without quotes; bytes as in the text, so Latin-1 of its UTF-8. */
export type TableName = { readonly database: string; readonly table: string };

/** Where the rows of one label go on the same server. Names are asked for as the text has them: in any case. */
export type Shadows = {
  /** The table that stands for this one; undefined where nothing does. A shadow itself is no table with a shadow. */
  shadowOf(name: TableName): TableName | undefined;
  /** True for a table that is the shadow of another for this label: who names it himself is where he belongs. */
  isShadow(name: TableName): boolean;
};
