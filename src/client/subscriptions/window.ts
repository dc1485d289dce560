import { invalidArgument, type Window, windowBounds } from "../../core/index.js";
import type { Window as WindowMessage } from "../../gen/millrace/v1/subscription_service.js";
import { errorOfRefusal } from "../client-error.js";
import { wholeNumber } from "../start.js";

/** What may be outstanding. Unset fields keep their value. */
export interface WindowOptions {
  /** 0 to 100,000; 0 pauses. Default 1000. */
  readonly records?: number | undefined;
  /** 0 to 64 MiB, of encoded records; 0 pauses. Default 4 MiB. A larger record is delivered alone. */
  readonly bytes?: number | undefined;
}

/** Throws an InvalidArgumentError. */
export function windowOf({ records, bytes }: WindowOptions, before: Window = windowBounds.initial): Window {
  return {
    records: bounded(records ?? before.records, windowBounds.max.records, "window.records"),
    bytes: bounded(bytes ?? before.bytes, windowBounds.max.bytes, "window.bytes"),
  };
}

export function windowOfMessage({ records = 0, bytes = 0 }: WindowMessage = {}): Window {
  return { records, bytes };
}

function bounded(value: number, max: number, field: string): number {
  if (wholeNumber(value, field) <= max) return value;
  throw errorOfRefusal(invalidArgument(field, `must be at most ${max}, got ${value}`));
}
