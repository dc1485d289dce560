/**
 * Sends large values of a statement without copying them. pg's own writer copies each into a message buffer that it
 * grows. A commit's parameters are mostly one large value: these copies were most of what publishing left to the
 * garbage collector.
 */

import type pg from "pg";

/** What pg's query passes to `Connection.bind`. */
interface BindConfig {
  readonly portal?: string;
  readonly statement?: string;
  readonly binary?: boolean;
  readonly values?: readonly unknown[];
  /** Converts a value to what the protocol takes. */
  readonly valueMapper: (value: unknown, index: number) => Buffer | string | null | undefined;
}

interface BindingConnection {
  readonly stream: { write(bytes: Uint8Array): boolean; readonly writable: boolean };
  bind(config: BindConfig): void;
}

/** Smaller values are copied. */
const largeBytes = 16_384;

/** Makes a new client send Bind messages with large values in parts. Call it before the client's first use. */
export function bindLargeInParts(client: pg.Client): void {
  const { connection } = client as unknown as { readonly connection: BindingConnection };
  const bindCopied = connection.bind.bind(connection);
  connection.bind = (config) => {
    if (config.values?.some(isLarge) !== true) return bindCopied(config);
    // pg checks this too. Events of the socket report that it is gone.
    if (connection.stream.writable) for (const part of bindMessage(config)) connection.stream.write(part);
  };
}

function isLarge(value: unknown): boolean {
  return Buffer.isBuffer(value) && value.length >= largeBytes;
}

/**
 * The parts of a Bind message: its type, its length, the names of portal and statement, the format of each value, each
 * value after its length, and one format for all results (Postgres, "Message Formats"). pg corks the socket around it.
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

/** Joins small neighbours into one write. */
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
