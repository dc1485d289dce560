import { expect, test } from "vitest";
import { deferred, trackTasks } from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";

test("trackTasks.settled(), waits for all tasks, including later ones, and passes errors to onError", async () => {
  const errors: unknown[] = [];
  const tasks = trackTasks((error) => errors.push(error));
  await tasks.settled();
  const [first, second, third] = [deferred<void>(), deferred<void>(), deferred<void>()];
  tasks.track(first.promise);
  tasks.track(second.promise);
  let isOver = false;
  const settled = tasks.settled().then(() => (isOver = true));
  expect(tasks.size).toBe(2);
  tasks.track(third.promise);
  first.resolve();
  second.reject(new Error("broken"));
  await Promise.allSettled([first.promise, second.promise]);
  expect([tasks.size, isOver]).toEqual([1, false]);
  third.resolve();
  await settled;
  expect(tasks.size).toBe(0);
  expect(errors).toEqual([new Error("broken")]);
});

test("trackTasks.settled(), keeps waiting when a task is added in the turn in which the last one settles", async () => {
  const tasks = trackTasks(() => {});
  const [first, second] = [deferred<void>(), deferred<void>()];
  tasks.track(first.promise);
  void first.promise.then(() => tasks.track(second.promise));
  let isOver = false;
  const settled = tasks.settled().then(() => (isOver = true));
  first.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  expect(isOver).toBe(false);
  second.resolve();
  await settled;
});

test("trackTasks.settled(), rejects on abort and leaves no listener; the tasks continue", async () => {
  const tasks = trackTasks(() => {});
  const task = deferred<void>();
  tasks.track(task.promise);
  const controller = new AbortController();
  const settled = tasks.settled(controller.signal);
  controller.abort(new Error("grace is over"));
  await expect(settled).rejects.toThrow("grace is over");
  expect([tasks.size, abortListeners(controller.signal)]).toEqual([1, 0]);
  task.resolve();
  await tasks.settled();
});
