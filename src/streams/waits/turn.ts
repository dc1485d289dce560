/**
 * Turns of the event loop. Microtasks run until none is left, so a stream that is always ready would block timers, sockets
 * and aborts for as long as it lasts. Therefore every loop that drives a stream asks `isTurnOver` before each pull, and
 * yields to the event loop when 10 ms have passed. All streams of the process share these 10 ms: a thousand streams with
 * 10 ms each would block it for ten seconds.
 */

const turnMs = 10;

/** Reading the clock costs as much as an item. So it is read about once a millisecond, at least every `strideMax` calls. */
const strideMax = 64;
const readEveryMs = 1;

let turnStartedAt: number | undefined;
let readAt = 0;
let stride = 1;
let callsLeft = 0;

/** Whether this turn of the event loop has lasted 10 ms: it is time to await `yieldToEventLoop()`. */
export function isTurnOver(): boolean {
  if (callsLeft > 0) {
    callsLeft -= 1;
    return false;
  }
  return readClock();
}

function readClock(): boolean {
  const now = performance.now();
  if (turnStartedAt === undefined) {
    turnStartedAt = now;
    stride = 1;
    // Runs in the next turn of the loop, whatever caused it. It keeps no process alive.
    setImmediate(beginTurn).unref();
  } else {
    const callMs = (now - readAt) / stride;
    stride = Math.max(1, Math.min(strideMax, stride * 2, Math.floor(readEveryMs / callMs)));
  }
  readAt = now;
  if (now - turnStartedAt >= turnMs) return true;
  callsLeft = stride - 1;
  return false;
}

function beginTurn(): void {
  turnStartedAt = undefined;
  callsLeft = 0;
}

/**
 * Resolves after timers, sockets and other immediates have had their turn.
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
 * For a loop that may never wait by itself: `await yielder()` yields to the event loop whenever `budgetMs` have passed
 * since the last turn. Each call reads the clock. Where even the await costs too much, await only a result that is not
 * `undefined`.
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
