/** The process side of `subject.ts`: opens one module of `subjects/` and executes its rounds. */

import "./probe.js";
import type { Answer, Order, Subject } from "./subject.js";

let subject: Subject<unknown, unknown, unknown> | undefined;

async function obey(order: Order): Promise<unknown> {
  switch (order.kind) {
    case "open": {
      const module = (await import(`../subjects/${order.module}.js`)) as {
        open(config: unknown): Promise<Subject<unknown, unknown, unknown>>;
      };
      subject = await module.open(order.config);
      return subject.info;
    }
    case "round":
      return subject?.round(order.input);
    case "close": {
      const closing = subject;
      subject = undefined;
      return closing?.close();
    }
    default:
      return order satisfies never;
  }
}

// The probe unreferences the channel; here the channel must keep the process alive.
process.channel?.ref();
process.on("message", (order: Order | string) => {
  // For the probe.
  if (typeof order === "string") return;
  obey(order)
    .then(
      (result): Answer => ({ result }),
      (error: unknown): Answer => ({
        failure: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
    )
    .then((answer) => process.send?.(answer))
    .catch(() => process.exit(1));
});

// The harness has ended, or needs us no more: no process of ours may stay.
process.on("disconnect", () => {
  Promise.resolve(subject?.close())
    .catch(() => undefined)
    .finally(() => process.exit());
});
