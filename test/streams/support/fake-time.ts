import { afterEach, beforeEach, expect, vi } from "vitest";

/** Each test of the file moves the clock by hand, and leaves no timer. Turns of the event loop stay real. */
export function useFakeTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
  });
  afterEach(() => {
    // A test may have switched back to real time.
    const left = vi.isFakeTimers() ? vi.getTimerCount() : 0;
    vi.useRealTimers();
    expect(left).toBe(0);
  });
}

/** Moves the clock by `ms`, and runs what is due in that time. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

/** The state of a promise, without waiting for it. */
export function watched<T>(promise: Promise<T>): { value?: T; error?: unknown; isSettled: boolean } {
  const outcome: { value?: T; error?: unknown; isSettled: boolean } = { isSettled: false };
  promise.then(
    (value) => Object.assign(outcome, { value, isSettled: true }),
    (error: unknown) => Object.assign(outcome, { error, isSettled: true }),
  );
  return outcome;
}
