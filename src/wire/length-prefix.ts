/**
 * gRPC sends five bytes before a message: 0 for "not compressed", and its length (gRPC over HTTP/2,
 * "Length-Prefixed-Message"). Responses are encoded with room for them in front, which saves a copy.
 */
export const prefixBytes = 5;

/** Writes the prefix into the room before a message. It may be written repeatedly, where a buffer has several holders. */
export function writePrefix(buffer: Buffer): Buffer {
  buffer[0] = 0;
  buffer.writeUInt32BE(buffer.length - prefixBytes, 1);
  return buffer;
}

/** A copy of a message, with its prefix. */
export function withPrefix(message: Uint8Array): Buffer {
  const buffer = Buffer.allocUnsafe(prefixBytes + message.length);
  buffer.set(message, prefixBytes);
  return writePrefix(buffer);
}

/** The message without its prefix. */
export function withoutPrefix(buffer: Buffer): Buffer {
  return buffer.subarray(prefixBytes);
}
