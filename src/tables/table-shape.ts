import { sql } from "kysely";
import { type CellKind, cellKind, isOrderable } from "./cell.js";
import type { ForeignDatabase } from "./open-database.js";
import { TableError } from "./table-error.js";

export interface Column {
  readonly name: string;
  /** In SQL. */
  readonly type: string;
  readonly kind: CellKind;
  readonly isNullable: boolean;
}

/** A table, and the order in which it is read. */
export interface TableShape {
  /** In SQL, quoted where necessary. */
  readonly name: string;
  readonly columns: readonly Column[];
  /** The columns of a unique index, in its order; none is nullable. */
  readonly order: readonly Column[];
  /** The planner's estimate; undefined when the table was never analysed. */
  readonly estimatedRows: number | undefined;
}

/** Describes a table. Throws a TableError when it does not exist, or cannot be read by keyset. */
export async function describeTable(
  db: ForeignDatabase,
  table: string,
  orderBy: readonly string[] | undefined,
): Promise<TableShape> {
  const { oid, name, estimatedRows } = await findTable(db, table);
  const columns = await readColumns(db, oid);
  const indexes = await readUniqueIndexes(db, oid);
  const order = orderOf({ name, columns, indexes }, orderBy);
  return { name, columns, order, estimatedRows };
}

async function findTable(db: ForeignDatabase, table: string) {
  const { rows } = await sql<{ oid: string; name: string; tuples: string }>`
select c.oid, c.oid::regclass::text as name, c.reltuples as tuples
from pg_catalog.pg_class as c where c.oid = to_regclass(${table}) and c.relkind in ('r', 'p', 'm', 'v', 'f')`.execute(
    db,
  );
  const [found] = rows;
  if (found === undefined) {
    const hint = 'write the name as in SQL: "schema.table", with double quotes around a name with capitals';
    throw new TableError(`There is no table ${table}; ${hint}`);
  }
  const tuples = Number(found.tuples);
  return { oid: found.oid, name: found.name, estimatedRows: tuples > 0 ? tuples : undefined };
}

async function readColumns(db: ForeignDatabase, oid: string): Promise<Column[]> {
  const { rows } = await sql<{
    name: string;
    type: string;
    typname: string;
    category: string;
    element: string | null;
    notnull: string;
  }>`
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, b.typname, b.typcategory as category,
  e.typname as element, a.attnotnull as notnull
from pg_catalog.pg_attribute as a
join pg_catalog.pg_type as t on t.oid = a.atttypid
join pg_catalog.pg_type as b on b.oid = case when t.typbasetype = 0 then t.oid else t.typbasetype end
left join pg_catalog.pg_type as e on e.oid = b.typelem
where a.attrelid = ${oid}::oid and a.attnum > 0 and not a.attisdropped
order by a.attnum`.execute(db);
  return rows.map(({ name, type, typname, category, element, notnull }) => ({
    name,
    type,
    kind: cellKind(typname, category, element ?? undefined),
    isNullable: notnull !== "t",
  }));
}

interface UniqueIndex {
  readonly columns: readonly string[];
  readonly isPrimary: boolean;
}

/**
 * Unique indexes on plain columns, not partial and not deferrable: only these ensure that each row's values are unique.
 */
async function readUniqueIndexes(db: ForeignDatabase, oid: string): Promise<UniqueIndex[]> {
  const { rows } = await sql<{ columns: string; primary: string }>`
select i.indisprimary as primary, array_to_json(array(
  select a.attname from unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
  join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where k.place <= i.indnkeyatts order by k.place
)) as columns
from pg_catalog.pg_index as i
where i.indrelid = ${oid}::oid and i.indisunique and i.indisvalid and i.indimmediate
  and i.indpred is null and i.indexprs is null
order by i.indisprimary desc, i.indexrelid`.execute(db);
  return rows.map(({ columns, primary }) => ({
    columns: JSON.parse(columns) as string[],
    isPrimary: primary === "t",
  }));
}

/** What is known of a table before its order is chosen. */
interface FoundTable {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly indexes: readonly UniqueIndex[];
}

function orderOf({ name: table, columns, indexes }: FoundTable, orderBy: readonly string[] | undefined): Column[] {
  const names = orderBy ?? indexes.find(({ isPrimary }) => isPrimary)?.columns;
  if (names === undefined || names.length === 0) {
    throw new TableError(`${table} has no primary key: give --order-by with the columns of a unique index`);
  }
  const order = names.map((name) => columnNamed(table, columns, name));
  const list = names.join(", ");
  const unordered = order.find(({ kind }) => !isOrderable(kind));
  if (unordered !== undefined) {
    throw new TableError(`Cannot read ${table} by ${unordered.name}: values of ${unordered.type} have no order`);
  }
  if (
    !indexes.some(
      (index) => index.columns.length === names.length && index.columns.every((each, at) => each === names[at]),
    )
  ) {
    const known = indexes.map((index) => `(${index.columns.join(", ")})`).join(", ");
    throw new TableError(
      `Cannot read ${table} by (${list}): no unique index has exactly these columns in this order, so rows could be lost between pages. ` +
        (known === "" ? `Create one: create unique index on ${table} (${list})` : `It has unique indexes on ${known}`),
    );
  }
  const nullable = order.find(({ isNullable }) => isNullable);
  if (nullable !== undefined) {
    throw new TableError(
      `Cannot read ${table} by (${list}): ${nullable.name} may be null, and null values have no order. ` +
        `Run: alter table ${table} alter column ${nullable.name} set not null`,
    );
  }
  return order;
}

export function columnNamed(table: string, columns: readonly Column[], name: string): Column {
  const found = columns.find((column) => column.name === name);
  if (found !== undefined) return found;
  throw new TableError(`${table} has no column ${name}; it has ${columns.map((column) => column.name).join(", ")}`);
}
