/** Frames as the log stores them: one behind the other, each a tag byte, a length and the record's bytes. */

/** Where the frame ends that begins at `at`. The frames are our own: whole, and right. */
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

/** Where the frame begins that stands `count` frames behind the one at `at`. */
export function skipFrames(frames: Uint8Array, at: number, count: number): number {
  let next = at;
  for (let passed = 0; passed < count; passed++) next = endOfFrame(frames, next);
  return next;
}
