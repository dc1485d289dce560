import { type OffsetRange, RangeSet } from "../../core/index.js";
import type {
  ConsumeRequest,
  ConsumeResponse_Confirmed as Confirmed,
} from "../../gen/millrace/v1/subscription_service.js";
import { toRange } from "./offset-range.js";

/**
 * Records of which something was sent that the server has not answered. It answers each verdict and each extension once,
 * by the offsets alone. So after a redelivery to the same consumer, an answer may be about the delivery before.
 */
export class Unanswered {
  readonly #settled = new RangeSet();
  readonly #extended = new RangeSet();

  has(offset: number): boolean {
    return this.#settled.has(offset) || this.#extended.has(offset);
  }

  sent({ acknowledge, reject, park, release, extend }: ConsumeRequest): void {
    for (const said of [acknowledge, reject, park, release]) {
      for (const { offsets } of said) add(this.#settled, offsets);
    }
    for (const { offsets } of extend) add(this.#extended, offsets);
  }

  answered({ acknowledged, rejected, parked, released, extended, stale }: Confirmed): void {
    for (const ranges of [acknowledged, rejected, parked, released, stale]) {
      for (const range of ranges) remove(this.#settled, range);
    }
    for (const ranges of [extended, stale]) for (const range of ranges) remove(this.#extended, range);
  }
}

function add(to: RangeSet, offsets: OffsetRange | undefined): void {
  if (offsets !== undefined) to.add(offsets.firstOffset, offsets.nextOffset);
}

function remove(from: RangeSet, range: OffsetRange): void {
  const { firstOffset, nextOffset } = toRange(range);
  from.delete(firstOffset, nextOffset);
}
