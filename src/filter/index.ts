// Placeholder until the filter room lands: its interface, so that the rest compiles. Overwrite this file.
import { invalidArgument, type Rectangle } from "../core/index.js";

export interface FilterNeeds {
  readonly keys: readonly string[] | undefined;
  readonly keyPrefix: string | undefined;
  readonly attributes: readonly { readonly name: string; readonly value: string | undefined }[];
  readonly fromOffset: number | undefined;
  readonly untilOffset: number | undefined;
  readonly fromTimeMicros: number | undefined;
  readonly untilTimeMicros: number | undefined;
  readonly rectangle: Rectangle | undefined;
  readonly never: boolean;
}
export interface Filter {
  readonly text: string;
  readonly cost: number;
  matches(bytes: Uint8Array, start: number, end: number): boolean;
  readonly needs: FilterNeeds;
}
export function parseFilter(_text: string): Filter {
  throw invalidArgument("filter", "is not there yet");
}
export function needlesOf(_needs: FilterNeeds): readonly Buffer[] {
  return [];
}
