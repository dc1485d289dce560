/** Frames as the log stores them, concatenated: each is a tag byte, a length and the record's bytes. */

/** Where the frame that begins at `at` ends. The frames are the server's own, so nothing is checked. */
export function endOfFrame(frames: Uint8Array, at: number): number {
  let length = 0;
  let scale = 1;
  for (let next = at + 1; ; next++) {
    const byte = frames[next] as number;
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) return next + 1 + length;
    scale *= 128;
  }
}

/** Where the frame begins that is `count` frames after the one at `at`. */
export function skipFrames(frames: Uint8Array, at: number, count: number): number {
  let next = at;
  for (let passed = 0; passed < count; passed++) next = endOfFrame(frames, next);
  return next;
}
