/**
 * gRPC sends a message behind five bytes: 0, since it is not compressed, and its length (gRPC over HTTP/2,
 * "Length-Prefixed-Message"). Responses are made with that room in front, so that nobody has to copy them for it.
 */
export const prefixBytes = 5;

/** Writes the prefix of the message that stands behind its room. Who has the same buffer may do the same again. */
export function writePrefix(buffer: Buffer): Buffer {
  buffer[0] = 0;
  buffer.writeUInt32BE(buffer.length - prefixBytes, 1);
  return buffer;
}

/** A message, copied behind its prefix. */
export function withPrefix(message: Uint8Array): Buffer {
  const buffer = Buffer.allocUnsafe(prefixBytes + message.length);
  buffer.set(message, prefixBytes);
  return writePrefix(buffer);
}

/** The message behind a prefix. */
export function withoutPrefix(buffer: Buffer): Buffer {
  return buffer.subarray(prefixBytes);
}
