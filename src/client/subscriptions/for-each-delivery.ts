import { wholeNumber } from "../start.js";
import type { Delivery, HeldRecord } from "./delivery.js";
import type { LoopSource } from "./delivery-loop.js";

/**
 * Works on up to `concurrency` deliveries at once. Resolves at the end, or rejects with its failure, in both cases when
 * no handler is at work any more.
 */
export function forEachDelivery(
  source: Pick<LoopSource<HeldRecord>, "begin" | "take" | "end">,
  handler: (delivery: Delivery) => Promise<void> | void,
  concurrency: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (wholeNumber(concurrency, "concurrency") === 0) throw new RangeError("Cannot work on 0 records at once");
    let atWork = 0;
    let isTaking = false;

    const start = (delivery: HeldRecord) => {
      try {
        const work = handler(delivery);
        if (work === undefined) {
          delivery.finish();
          return;
        }
        atWork += 1;
        work.then(
          () => {
            atWork -= 1;
            delivery.finish();
            goOn();
          },
          (error: unknown) => {
            atWork -= 1;
            delivery.fail(error);
            goOn();
          },
        );
      } catch (error) {
        delivery.fail(error);
      }
    };
    const goOn = () => {
      // A handler that does not wait may get here from inside of it.
      if (isTaking) return;
      isTaking = true;
      while (atWork < concurrency) {
        const delivery = source.take();
        if (delivery === undefined) break;
        start(delivery);
      }
      isTaking = false;
      const end = source.end();
      if (end === undefined || atWork > 0) return;
      if (end.failure === undefined) resolve();
      else reject(end.failure.error);
    };
    source.begin(goOn);
    goOn();
  });
}
