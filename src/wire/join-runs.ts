/**
 * Copies runs of frames one behind the other, into a buffer of its own with room behind them. A part of a slab or of a page
 * would pin the whole of it, for as long as a slow client or a consumer keeps the message.
 */
export function joinRuns(runs: readonly Uint8Array[], roomBytes = 0): Buffer {
  let total = roomBytes;
  for (const run of runs) total += run.length;
  const joined = Buffer.allocUnsafeSlow(total);
  let at = 0;
  for (const run of runs) {
    joined.set(run, at);
    at += run.length;
  }
  return joined;
}
