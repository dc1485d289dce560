/**
 * The event loop's turn. Microtasks run until none is left, so a stream that is always ready would keep timers, sockets
 * and aborts waiting for as long as it lasts. Whatever drives a stream therefore asks `isTurnOver` before each pull, and
 * gives the loop its turn when 10 ms have passed, counted over all streams of the process together: a thousand streams
 * with ten milliseconds each would be ten seconds.
 */

const turnMs = 10;

/** A look at the clock costs as much as an item, so it is taken every so many calls, but about once a millisecond. */
const strideMax = 64;
const lookEveryMs = 1;

let turnStartedAt: number | undefined;
let lookedAt = 0;
let stride = 1;
let callsLeft = 0;

/** Whether this turn of the event loop has lasted its 10 ms: time to await `yieldToEventLoop()`. */
export function isTurnOver(): boolean {
  if (callsLeft > 0) {
    callsLeft -= 1;
    return false;
  }
  return look();
}

function look(): boolean {
  const now = performance.now();
  if (turnStartedAt === undefined) {
    turnStartedAt = now;
    stride = 1;
    // Runs when the loop has had its turn, by whatever way it came to it. It keeps no process alive.
    setImmediate(beginTurn).unref();
  } else {
    const callMs = (now - lookedAt) / stride;
    stride = Math.max(1, Math.min(strideMax, stride * 2, Math.floor(lookEveryMs / callMs)));
  }
  lookedAt = now;
  if (now - turnStartedAt >= turnMs) return true;
  callsLeft = stride - 1;
  return false;
}

function beginTurn(): void {
  turnStartedAt = undefined;
  callsLeft = 0;
}

/**
 * Resolves after timers, sockets and other immediates had their turn.
 *
 * @example
 * const order: string[] = [];
 * setTimeout(() => order.push("timer"), 0);
 * while (order.length === 0) await yieldToEventLoop();
 * console.log(order); // [ 'timer' ]
 */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * For a loop that may never wait by itself: `await yielder()` in it costs a look at the clock, and gives the event loop
 * a turn whenever `budgetMs` have passed since the last one. Where even an await of nothing is too much, await only
 * what is not `undefined`.
 *
 * @example
 * const yielder = createYielder(5);
 * let timers = 0;
 * setTimeout(() => (timers += 1), 1);
 * let sum = 0;
 * while (timers === 0) {
 *   sum += 1;
 *   await yielder();
 * }
 * console.log(sum > 0); // true
 */
export function createYielder(
  budgetMs = 10,
  now: () => number = () => performance.now(),
): () => Promise<void> | undefined {
  let turnEndsAt = now() + budgetMs;
  return () => {
    if (now() < turnEndsAt) return undefined;
    return yieldToEventLoop().then(() => {
      turnEndsAt = now() + budgetMs;
    });
  };
}
