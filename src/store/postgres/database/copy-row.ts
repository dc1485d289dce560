const signature = Buffer.from("PGCOPY\n\xff\r\n\0", "latin1");

/**
 * The fields of the first row in COPY's binary format, as views of `bytes`; `null` is SQL's null. Undefined: no row. The trailer may be
 * left out.
 * The format: a signature, flags and an extension's length, then rows of `int16` fields, each `int32` bytes long.
 */
export function decodeCopyRow(bytes: Buffer): (Buffer | null)[] | undefined {
  if (!bytes.subarray(0, signature.length).equals(signature)) throw new Error("The answer to COPY is not binary");
  let at = signature.length + 4;
  at += 4 + bytes.readInt32BE(at);
  const count = at < bytes.length ? bytes.readInt16BE(at) : -1;
  at += 2;
  if (count === -1) return undefined;
  const fields: (Buffer | null)[] = [];
  for (let index = 0; index < count; index++) {
    const length = bytes.readInt32BE(at);
    at += 4;
    fields.push(length === -1 ? null : bytes.subarray(at, at + length));
    if (length > 0) at += length;
  }
  return fields;
}

/** An `int8` field as a number. */
export function readCopyInteger(field: Buffer): number {
  const value = Number(field.readBigInt64BE());
  if (!Number.isSafeInteger(value)) throw new RangeError(`Cannot read ${value} from the database: it is above 2^53`);
  return value;
}
