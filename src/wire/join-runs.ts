/**
 * Concatenates runs of frames in a new buffer with room around them. A view would keep its whole slab or page in memory,
 * for as long as a slow client or a consumer keeps the message.
 */
export function joinRuns(runs: readonly Uint8Array[], room = { before: 0, behind: 0 }): Buffer {
  let total = room.before + room.behind;
  for (const run of runs) total += run.length;
  const joined = Buffer.allocUnsafeSlow(total);
  let at = room.before;
  for (const run of runs) {
    joined.set(run, at);
    at += run.length;
  }
  return joined;
}
