import { closeSync, createReadStream, ftruncateSync, mkdirSync, openSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { brotliDecompress, createBrotliDecompress } from "node:zlib";
import { decodeTarHeader, tarBlockBytes } from "./tar-header.js";

const decompress = promisify(brotliDecompress);

/** A template for PGlite's `loadDataDir`. Throws when the file is missing (`ENOENT`), truncated or damaged. */
export async function readTemplate(file: string): Promise<Blob> {
  return new Blob([await decompress(await readFile(file))], { type: "application/x-tar" });
}

/** The size of the decompressor's chunks. */
const pieceBytes = 256 * 1024;

/**
 * Unpacks a template into a new folder. Only one chunk of the archive is in memory at a time. Throws when the file is
 * missing (`ENOENT`), truncated or damaged; a part of the folder may then exist.
 */
export async function unpackTemplate(file: string, folder: string): Promise<void> {
  const decompressor = createBrotliDecompress({ chunkSize: pieceBytes });
  await pipeline(createReadStream(file), decompressor, async (pieces) => {
    const bytes = readerOf(pieces as AsyncIterable<Buffer>);
    mkdirSync(folder, { mode: 0o700 });
    for (;;) {
      const entry = decodeTarHeader(await bytes.take(tarBlockBytes));
      if (entry === undefined) break;
      const path = join(folder, entry.name);
      if (entry.kind === "folder") mkdirSync(path, { mode: 0o700 });
      else await writeFile(path, bytes, entry.size);
    }
    await bytes.skipRest();
  });
}

const zeros = Buffer.alloc(pieceBytes);

/** Synchronous calls: there are thousands, and with promises they take three times as long. Zero bytes become holes. */
async function writeFile(path: string, bytes: ByteReader, size: number): Promise<void> {
  const file = openSync(path, "wx", 0o600);
  try {
    for (let at = 0; at < size; ) {
      const piece = await bytes.takeSome(size - at);
      if (!piece.equals(zeros.subarray(0, piece.length))) writeSync(file, piece, 0, piece.length, at);
      at += piece.length;
    }
    ftruncateSync(file, size);
  } finally {
    closeSync(file);
  }
  await bytes.take(-size & (tarBlockBytes - 1));
}

interface ByteReader {
  /** Throws when the bytes end before `length`. */
  take(length: number): Promise<Buffer>;
  /** The bytes that are available: from 1 to `lengthMax`. */
  takeSome(lengthMax: number): Promise<Buffer>;
  /** Reads to the end, so that the decompressor checks it. */
  skipRest(): Promise<void>;
}

function readerOf(chunks: AsyncIterable<Buffer>): ByteReader {
  const iterator = chunks[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  async function takeSome(lengthMax: number): Promise<Buffer> {
    while (rest.length === 0) {
      const { done, value } = await iterator.next();
      if (done) throw new Error("The archive is cut off");
      rest = value;
    }
    const some = rest.subarray(0, lengthMax);
    rest = rest.subarray(some.length);
    return some;
  }
  return {
    takeSome,
    async take(length) {
      const parts: Buffer[] = [];
      for (let left = length; left > 0; ) {
        const part = await takeSome(left);
        parts.push(part);
        left -= part.length;
      }
      return Buffer.concat(parts);
    },
    async skipRest() {
      while (!(await iterator.next()).done) rest = Buffer.alloc(0);
    },
  };
}
