/** The part of POSIX's ustar format that a data directory needs: folders, and files with short names. */

/** The size of a header. File contents are padded to a multiple of it. */
export const tarBlockBytes = 512;

export type TarEntry =
  | { readonly kind: "folder"; readonly name: string }
  | { readonly kind: "file"; readonly name: string; readonly size: number };

const nameBytesMax = 100;
const sizeAt = 124;
const checksumAt = 148;
const typeAt = 156;

/** Owner, group and time are 0, so that two archives of the same files are equal. */
export function encodeTarHeader(entry: TarEntry): Buffer {
  if (Buffer.byteLength(entry.name) > nameBytesMax) {
    throw new RangeError(`Cannot archive ${entry.name}: its name is longer than ${nameBytesMax} bytes`);
  }
  const header = Buffer.alloc(tarBlockBytes);
  header.write(entry.name, 0);
  header.write(entry.kind === "file" ? "0000600\0" : "0000700\0", 100);
  header.write("0000000\0".repeat(2), 108);
  header.write(`${(entry.kind === "file" ? entry.size : 0).toString(8).padStart(11, "0")}\0`, sizeAt);
  header.write("00000000000\0", 136);
  header.write(entry.kind === "file" ? "0" : "5", typeAt);
  header.write("ustar\u000000", 257);
  header.write(`${checksumOf(header).toString(8).padStart(6, "0")}\0 `, checksumAt);
  return header;
}

/** Undefined: the end of the archive. Throws when the bytes are not a header of `encodeTarHeader`. */
export function decodeTarHeader(header: Buffer): TarEntry | undefined {
  if (header.every((byte) => byte === 0)) return undefined;
  const checksum = Number.parseInt(header.toString("latin1", checksumAt, checksumAt + 6), 8);
  if (checksum !== checksumOf(header)) throw new Error("The archive is damaged: a header has another checksum");
  const name = header.toString("utf8", 0, header.indexOf(0));
  const size = Number.parseInt(header.toString("latin1", sizeAt, sizeAt + 11), 8);
  return header[typeAt] === 0x35 ? { kind: "folder", name } : { kind: "file", name, size };
}

/** The sum of all bytes, where the checksum's own bytes count as spaces. */
function checksumOf(header: Buffer): number {
  let sum = 0;
  for (let at = 0; at < tarBlockBytes; at++) sum += at >= checksumAt && at < checksumAt + 8 ? 0x20 : (header[at] ?? 0);
  return sum;
}
