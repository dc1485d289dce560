/**
 * Sends large values of a statement as they stand. pg's own writer copies each into a message that it grows for it, and
 * what a commit has to say is mostly one value: those copies were most of what publishing left to the garbage collector.
 */

import type pg from "pg";

/** What pg's query gives its connection to bind. */
interface BindConfig {
  readonly portal?: string;
  readonly statement?: string;
  readonly binary?: boolean;
  readonly values?: readonly unknown[];
  /** Makes of a value what the protocol takes. */
  readonly valueMapper: (value: unknown, index: number) => Buffer | string | null | undefined;
}

interface BindingConnection {
  readonly stream: { write(bytes: Uint8Array): boolean; readonly writable: boolean };
  bind(config: BindConfig): void;
}

/** Smaller ones are copied. */
const largeBytes = 16_384;

/** Makes a client, before it is used, send Bind messages with large values in parts. */
export function bindLargeInParts(client: pg.Client): void {
  const { connection } = client as unknown as { readonly connection: BindingConnection };
  const bindCopied = connection.bind.bind(connection);
  connection.bind = (config) => {
    if (config.values?.some(isLarge) !== true) return bindCopied(config);
    // As pg does; that the socket is gone is told by its events.
    if (connection.stream.writable) for (const part of bindMessage(config)) connection.stream.write(part);
  };
}

function isLarge(value: unknown): boolean {
  return Buffer.isBuffer(value) && value.length >= largeBytes;
}

/**
 * The parts of a Bind message: its type, its length, the names of portal and statement, each value's format, each value
 * behind its length, and the format of all results (Postgres, "Message Formats"). pg corks the socket around it.
 */
function bindMessage({ portal = "", statement = "", binary = false, values = [], valueMapper }: BindConfig): Buffer[] {
  const mapped = values.map((value, index) => valueMapper(value, index));
  const parts: Buffer[] = [Buffer.alloc(5), Buffer.from(`${portal}\0${statement}\0`)];
  const formats = mapped.map((value) => (Buffer.isBuffer(value) ? 1 : 0));
  parts.push(int16s(mapped.length, ...formats, mapped.length));
  for (const value of mapped) {
    if (value === null || value === undefined) parts.push(int32(-1));
    else {
      const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value);
      parts.push(int32(bytes.length), bytes);
    }
  }
  parts.push(int16s(1, binary ? 1 : 0));
  const [header] = parts as [Buffer];
  header[0] = 0x42;
  header.writeInt32BE(parts.reduce((sum, { length }) => sum + length, 0) - 1, 1);
  return joinSmall(parts);
}

/** Neighbours that are small become one write. */
function joinSmall(parts: readonly Buffer[]): Buffer[] {
  const joined: Buffer[] = [];
  let small: Buffer[] = [];
  for (const part of parts) {
    if (!isLarge(part)) small.push(part);
    else {
      joined.push(Buffer.concat(small), part);
      small = [];
    }
  }
  joined.push(Buffer.concat(small));
  return joined;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int16s(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  values.forEach((value, index) => bytes.writeInt16BE(value, 2 * index));
  return bytes;
}
