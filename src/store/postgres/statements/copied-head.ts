import type { Head } from "../../topic-store.js";
import { readCopyInteger } from "../database/copy-row.js";

type Field = Buffer | null;

/** How many fields a head takes: those of `headColumns`, in their order. */
export const copiedHeadFields = 12;

/** A head as COPY gives it, in the first fields of a row. */
export function decodeCopiedHead(fields: readonly Field[]): Head {
  const integer = (index: number) => copiedInteger(fields, index) ?? 0;
  const flag = (index: number) => fields[index]?.[0] === 1;
  return {
    topicId: integer(0),
    epoch: integer(1),
    version: integer(2),
    earliestOffset: integer(3),
    nextOffset: integer(4),
    earliestBytes: integer(5),
    nextBytes: integer(6),
    lastTimeMicros: integer(7),
    closed: flag(8),
    keyed: flag(9),
    tombstonesFrom: integer(10),
    expiring: flag(11),
  };
}

/** A field that is a bigint, or null. */
export function copiedInteger(fields: readonly Field[], index: number): number | null {
  const field = fields[index];
  return field ? readCopyInteger(field) : null;
}
