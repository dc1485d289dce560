import { wholeNumber } from "../start.js";
import type { Delivery, HeldRecord } from "./delivery.js";
import type { LoopSource } from "./delivery-loop.js";

/**
 * Runs up to `concurrency` handlers at once. At the end of the source, and after the last handler, it resolves, or
 * rejects with the source's failure.
 */
export function forEachDelivery(
  source: Pick<LoopSource<HeldRecord>, "begin" | "take" | "end">,
  handler: (delivery: Delivery) => Promise<void> | void,
  concurrency: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (wholeNumber(concurrency, "concurrency") === 0) throw new RangeError("Cannot work on 0 records at once");
    let running = 0;
    let isTaking = false;

    const start = (delivery: HeldRecord) => {
      try {
        const work = handler(delivery);
        if (work === undefined) {
          delivery.finish();
          return;
        }
        running += 1;
        work.then(
          () => {
            running -= 1;
            delivery.finish();
            goOn();
          },
          (error: unknown) => {
            running -= 1;
            delivery.fail(error);
            goOn();
          },
        );
      } catch (error) {
        delivery.fail(error);
      }
    };
    const goOn = () => {
      // A synchronous handler may cause a call from inside the loop below.
      if (isTaking) return;
      isTaking = true;
      while (running < concurrency) {
        const delivery = source.take();
        if (delivery === undefined) break;
        start(delivery);
      }
      isTaking = false;
      const end = source.end();
      if (end === undefined || running > 0) return;
      if (end.failure === undefined) resolve();
      else reject(end.failure.error);
    };
    source.begin(goOn);
    goOn();
  });
}
