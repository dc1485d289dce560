/** Bounds of what may be outstanding at a consumer. */

import type { Window } from "../../../../src/core/index.js";
import { type ModelConsumer, nameOf } from "./facts.js";
import { isSure } from "./holds.js";
import type { ConsumeModel } from "./model.js";

export function checkWindow(model: ConsumeModel, consumer: ModelConsumer): void {
  const sure = [...consumer.holds.values()].filter((hold) => isSure(model, hold));
  const recordsMax = Math.max(...consumer.windows.map(({ records }) => records));
  const bytesMax = Math.max(...consumer.windows.map(({ bytes }) => bytes));
  const bytes = sure.reduce((sum, hold) => sum + hold.bytes, 0);
  // A window that shrank is full, and nothing is delivered.
  const isNew = sure.some(({ handedMs }) => handedMs === model.nowMs);
  if (!isNew) return;
  if (sure.length > recordsMax) {
    model.fault("window-records", `${nameOf(consumer)} has ${sure.length} of ${recordsMax} records`);
  }
  if (bytes > bytesMax && (sure.length > 1 || bytesMax === 0)) {
    model.fault("window-bytes", `${nameOf(consumer)} has ${bytes} of ${bytesMax} bytes in ${sure.length} records`);
  }
}

/** A consumer receives the window that was granted for its request. */
export function granted(model: ConsumeModel, consumer: ModelConsumer, window: Window): void {
  const asked = consumer.windows.at(-1) as Window;
  if (consumer.windows.some(({ records, bytes }) => window.records <= records && window.bytes <= bytes)) return;
  model.fault(
    "window-granted",
    `${nameOf(consumer)} got ${JSON.stringify(window)}, asked for ${JSON.stringify(asked)}`,
  );
}
