/** The schema `millrace` as text to compare. It is read from the catalog, since the tests' Postgres has no pg_dump. */

type Row = Readonly<Record<string, string | boolean>>;
type Query = (text: string) => Promise<readonly Row[]>;

const columns = `
select c.relname as "table", a.attname as "column", format_type(a.atttypid, a.atttypmod) as type,
  a.attnotnull as required, coalesce(nullif(co.collname, 'default'), '') as collation,
  a.attidentity <> '' as identity, coalesce(pg_get_expr(d.adbin, d.adrelid), '') as "default",
  a.attcompression = 'l' or (a.attstorage = 'e' and a.atttypid = 'bytea'::regtype) as is_frame,
  a.attstorage = 'm' and a.atttypid = 'bytea'::regtype as is_block
from pg_attribute as a
join pg_class as c on c.oid = a.attrelid
left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
left join pg_collation as co on co.oid = a.attcollation
where c.relnamespace = 'millrace'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
order by c.relname collate "C", a.attnum`;

const options = `
select relname as "table", array_to_string(reloptions, ', ') as options from pg_class
where relnamespace = 'millrace'::regnamespace and relkind = 'r'`;

const indexes = `
select c.relname as "table", pg_get_indexdef(i.indexrelid) as definition
from pg_index as i join pg_class as c on c.oid = i.indrelid
where c.relnamespace = 'millrace'::regnamespace
order by 1, 2`;

export async function describeSchema(query: Query): Promise<string> {
  const [columnRows, optionRows, indexRows] = [await query(columns), await query(options), await query(indexes)];
  const lines = ["-- The schema `millrace` after every migration, as the catalog tells it. Made by migrate.test.ts."];
  for (const { table, options: settings } of [...optionRows].sort((a, b) =>
    String(a["table"]) < String(b["table"]) ? -1 : 1,
  )) {
    const own = columnRows.filter((row) => row["table"] === table).map(describeColumn);
    lines.push("", `create table millrace.${table} (\n${own.join(",\n")}\n)${settings ? ` with (${settings})` : ""};`);
    for (const row of indexRows) if (row["table"] === table) lines.push(`${row["definition"]};`);
  }
  return `${lines.join("\n")}\n`;
}

function describeColumn(row: Row): string {
  const parts = [`  "${row["column"]}" ${row["type"]}`];
  if (row["collation"] !== "") parts.push(`collate "${row["collation"]}"`);
  if (row["required"] === true) parts.push("not null");
  if (row["identity"] === true) parts.push("generated always as identity");
  if (row["default"] !== "") parts.push(`default ${row["default"]}`);
  // A build without lz4 keeps frames uncompressed, and compresses blocks with pglz.
  if (row["is_block"] === true) parts.push("/* storage main, compression lz4 where it is built */");
  else if (row["is_frame"] === true) parts.push("/* compression lz4, or storage external */");
  return parts.join(" ");
}
