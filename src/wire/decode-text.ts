/** Decodes text. For short ASCII, as most keys and names are, a loop is cheaper than a call into native code. */
export function decodeText(bytes: Buffer, start: number, end: number): string {
  if (end - start > 12) return bytes.toString("utf8", start, end);
  let text = "";
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte > 0x7f) return bytes.toString("utf8", start, end);
    text += String.fromCharCode(byte);
  }
  return text;
}
