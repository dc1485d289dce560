import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deferred, LaneFullError, Lanes, yieldToEventLoop } from "../../../src/streams/index.js";
import type { Deferred } from "../../../src/streams/index.js";
import { abortListeners } from "../listeners.js";

type Name = "appends" | "live" | "history";
const names: readonly Name[] = ["appends", "live", "history"];
const limits = { appends: 3, live: 2, history: 1 } as const;
const total = 4;
const queue = 6;
const open = () => new Lanes<Name>({ total, lanes: names.map((name) => ({ name, limit: limits[name], queue })) });

interface Task {
  readonly name: Name;
  readonly work: Deferred<number>;
  readonly controller: AbortController;
  runs: number;
  outcome: string;
}

function start(lanes: Lanes<Name>, name: Name, started: Task[] = []): Task {
  const task: Task = { name, work: deferred<number>(), controller: new AbortController(), runs: 0, outcome: "" };
  const run = () => {
    task.runs += 1;
    started.push(task);
    return task.work.promise;
  };
  lanes.run(name, run, task.controller.signal).then(
    () => (task.outcome = "done"),
    (error: unknown) => (task.outcome = error instanceof Error ? error.message : "?"),
  );
  return task;
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("start" as const), name: fc.constantFrom(...names) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("finish" as const), pick: fc.nat(), isBroken: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("abort" as const), pick: fc.nat() }) },
);

test("Lanes, never run more tasks than their limits, leave no slot free that a task could take, and lose no task", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const lanes = open();
      const tasks: Task[] = [];
      const started: Task[] = [];
      let running = new Set<Task>();
      for (const one of steps) {
        if (one.kind === "start") {
          const isFull = lanes.waiting(one.name) === queue;
          const task = start(lanes, one.name, started);
          await yieldToEventLoop();
          expect(task.outcome.startsWith(`Cannot queue in lane "${one.name}"`)).toBe(isFull);
          if (!isFull) tasks.push(task);
        } else if (one.kind === "finish") {
          const task = [...running][one.pick % Math.max(1, running.size)];
          if (one.isBroken) task?.work.reject(new Error("broken"));
          else task?.work.resolve(1);
          running = new Set([...running].filter((other) => other !== task));
        } else {
          tasks[one.pick % Math.max(1, tasks.length)]?.controller.abort(new Error("left"));
        }
        await yieldToEventLoop();
        for (const task of started.splice(0)) running.add(task);

        const active = names.map((name) => lanes.active(name));
        expect(active).toEqual(names.map((name) => [...running].filter((task) => task.name === name).length));
        expect(running.size).toBeLessThanOrEqual(total);
        for (const name of names) {
          expect(lanes.active(name)).toBeLessThanOrEqual(limits[name]);
          expect(lanes.waiting(name)).toBeLessThanOrEqual(queue);
          const mayTake = running.size < total && lanes.active(name) < limits[name];
          if (mayTake) expect(lanes.waiting(name)).toBe(0);
        }
        // A settled task has no listener.
        expect(tasks.every((task) => task.outcome === "" || abortListeners(task.controller.signal) === 0)).toBe(true);
      }

      for (const task of tasks) task.work.resolve(1);
      await yieldToEventLoop();
      expect(names.map((name) => [lanes.active(name), lanes.waiting(name)])).toEqual(names.map(() => [0, 0]));
      for (const task of tasks) {
        expect(["done", "broken", "left"]).toContain(task.outcome);
        if (task.outcome !== "left") expect(task.runs).toBe(1);
        expect(task.runs).toBeLessThanOrEqual(1);
      }
    }),
    { numRuns: 150 },
  );
});

test("Lanes, serve the highest lane first, unless one was passed over 16 times", async () => {
  const lanes = new Lanes<Name>({ total: 1, lanes: names.map((name) => ({ name, limit: 1, queue: 100 })) });
  const order: Name[] = [];
  const enter = async (name: Name, again: number): Promise<void> => {
    await lanes.run(name, async () => {
      order.push(name);
      // Its successor queues while it runs, so the higher lane always has a waiting task.
      if (again > 0) void enter(name, again - 1);
    });
  };
  void enter("appends", 60);
  void enter("live", 3);
  void enter("history", 1);
  await yieldToEventLoop();
  const at = (name: Name) => order.flatMap((other, index) => (other === name ? [index] : []));
  expect(order.length).toBe(61 + 4 + 2);
  expect(at("live").slice(0, 3)).toEqual([17, 35, 53]);
  expect(at("history")).toEqual([18, 36]);
});

describe("Lanes.run()", () => {
  test("leaves the queue on abort, and the task never runs", async () => {
    const lanes = open();
    const [runs, waits] = [start(lanes, "history"), start(lanes, "history")];
    expect([lanes.active("history"), lanes.waiting("history")]).toEqual([1, 1]);
    waits.controller.abort(new Error("left"));
    expect(lanes.waiting("history")).toBe(0);
    await yieldToEventLoop();
    runs.work.resolve(1);
    await yieldToEventLoop();
    expect([waits.outcome, waits.runs, abortListeners(waits.controller.signal)]).toEqual(["left", 0, 0]);
    expect([runs.outcome, lanes.active("history"), abortListeners(runs.controller.signal)]).toEqual(["done", 0, 0]);
  });

  test("rejects at once when its signal aborts while the task runs, and keeps the slot until the task settles", async () => {
    for (const settle of ["resolve", "reject"] as const) {
      const lanes = open();
      const task = start(lanes, "history");
      task.controller.abort(new Error("left"));
      await yieldToEventLoop();
      expect([task.outcome, lanes.active("history")]).toEqual(["left", 1]);
      if (settle === "resolve") task.work.resolve(1);
      else task.work.reject(new Error("nobody listens"));
      await yieldToEventLoop();
      expect(lanes.active("history")).toBe(0);
    }
  });

  test("does not run a task whose slot came in the same turn as the abort, and passes on the slot", async () => {
    const lanes = open();
    const [runs, waits, behind] = [start(lanes, "history"), start(lanes, "history"), start(lanes, "history")];
    // The slot is handed over in microtasks. The abort comes between that and the task's first step.
    void runs.work.promise.then(async () => {
      while (lanes.waiting("history") === 2) await undefined;
      waits.controller.abort(new Error("left"));
    });
    runs.work.resolve(1);
    await yieldToEventLoop();
    expect([waits.outcome, waits.runs, behind.runs]).toEqual(["left", 0, 1]);
    behind.work.resolve(1);
    await yieldToEventLoop();
    expect(lanes.active("history")).toBe(0);
  });

  test("refuses a task when the queue is full, naming lane and bound, and frees the slot of a task that throws", async () => {
    const lanes = new Lanes({ total: 1, lanes: [{ name: "only", limit: 1, queue: 0 }] });
    const work = deferred<void>();
    const running = lanes.run("only", () => work.promise);
    const refused = await lanes.run("only", async () => {}).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(LaneFullError);
    expect(refused).toMatchObject({ lane: "only", queue: 0, code: "lane-full" });
    work.resolve();
    await running;
    const throwing = () => {
      throw new Error("broken");
    };
    await expect(lanes.run("only", throwing)).rejects.toThrow("broken");
    await expect(lanes.run("only", async () => 7)).resolves.toBe(7);
    await expect(lanes.run("only", async () => 7, AbortSignal.abort(new Error("left")))).rejects.toThrow("left");
    expect(lanes.active("only")).toBe(0);
  });
});

test("Lanes, refuse limits below 1 and queues without a bound", () => {
  expect(() => new Lanes({ total: 0, lanes: [] })).toThrow(RangeError);
  expect(() => new Lanes({ total: 1, lanes: [{ name: "a", limit: 0, queue: 1 }] })).toThrow(RangeError);
  expect(() => new Lanes({ total: 1, lanes: [{ name: "a", limit: 1, queue: Infinity }] })).toThrow(RangeError);
});
