const signature = Buffer.from("PGCOPY\n\xff\r\n\0", "latin1");

/** `null` is SQL's null. */
export type CopyField = Buffer | null;

/**
 * Passes on the rows in a part of COPY's binary answer, as views of `bytes`. Each part holds whole rows.
 * The format: a signature, flags and an extension's length before the first row; then rows, each an `int16` number of
 * fields, each field an `int32` length and its bytes; a row of -1 fields is the end.
 */
export function eachCopyRow(bytes: Buffer, onRow: (fields: readonly CopyField[]) => void): void {
  let at = 0;
  if (bytes.length > signature.length && bytes.subarray(0, signature.length).equals(signature)) {
    at = signature.length + 4;
    at += 4 + bytes.readInt32BE(at);
  }
  while (at < bytes.length) {
    const count = bytes.readInt16BE(at);
    at += 2;
    if (count === -1) return;
    if (count < 0) throw new Error("The answer to COPY is not binary");
    const fields: CopyField[] = [];
    for (let index = 0; index < count; index++) {
      const length = bytes.readInt32BE(at);
      at += 4;
      fields.push(length === -1 ? null : bytes.subarray(at, at + length));
      if (length > 0) at += length;
    }
    onRow(fields);
  }
}

/** An `int8` field as a number; SQL's null as null. */
export function copiedInteger(fields: readonly CopyField[], index: number): number | null {
  const field = fields[index];
  return field ? readCopyInteger(field) : null;
}

/** An `int8` field as a number. */
export function readCopyInteger(field: Buffer): number {
  const high = field.readInt32BE(0);
  const value = high * 4_294_967_296 + field.readUInt32BE(4);
  if (!Number.isSafeInteger(value)) throw new RangeError(`Cannot read ${value} from the database: it is above 2^53`);
  return value;
}
