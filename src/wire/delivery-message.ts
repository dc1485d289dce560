/**
 * A response of a Consume call: its records are frames as they stand (`repeated Record records = 1`, as in a page), and the
 * rest is encoded by the generated code.
 */

/**
 * Puts frames and the encoded other fields into one message, in a buffer of its own: it waits in gRPC until a slow client
 * takes it, and would pin a whole slab, were it a part of one.
 */
export function encodeDeliveryMessage(runs: readonly Uint8Array[], rest: Uint8Array): Buffer {
  let total = rest.length;
  for (const run of runs) total += run.length;
  const message = Buffer.allocUnsafeSlow(total);
  let at = 0;
  for (const run of runs) {
    message.set(run, at);
    at += run.length;
  }
  message.set(rest, at);
  return message;
}
