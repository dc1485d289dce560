export interface BackoffOptions {
  /** The bound of the first wait, in milliseconds. Default 100. */
  readonly minMs?: number;
  /** The largest bound, in milliseconds. Default 30 000. */
  readonly maxMs?: number;
  /** A number in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
}

export interface Backoff {
  /** How long to wait before the next attempt, in whole milliseconds. */
  next(): number;
  /** Call it after a success: the next bound is `minMs` again. */
  reset(): void;
}

/**
 * Waits with full jitter: a random time from 0 to a bound, which doubles from `minMs` to `maxMs`. So clients that failed
 * together do not return together.
 *
 * @example
 * const waits = backoff({ minMs: 100, maxMs: 300, random: () => 0.999 });
 * console.log([waits.next(), waits.next(), waits.next()]); // [ 100, 200, 300 ]
 * waits.reset();
 * console.log(waits.next()); // 100
 */
export function backoff(options: BackoffOptions = {}): Backoff {
  const { minMs = 100, maxMs = 30_000, random = Math.random } = options;
  if (!(minMs > 0 && maxMs >= minMs)) throw new RangeError(`Cannot back off between ${minMs} and ${maxMs} ms`);
  let boundMs = minMs;
  return {
    next() {
      const waitMs = Math.floor(random() * (boundMs + 1));
      boundMs = Math.min(maxMs, boundMs * 2);
      return waitMs;
    },
    reset() {
      boundMs = minMs;
    },
  };
}
