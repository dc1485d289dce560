import { invalidArgument, type MillraceError } from "../core/index.js";

/** What is wrong with an expression, and where: an index into its text. */
export class FilterFault extends Error {
  override readonly name = "FilterFault";
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** As a caller is told it: lines and columns count from 1, columns in characters. */
export function asInvalidArgument(fault: FilterFault, text: string): MillraceError {
  const before = text.slice(0, fault.at).split("\n");
  const column = [...(before.at(-1) ?? "")].length + 1;
  return invalidArgument("filter", `line ${before.length}, column ${column}: ${fault.message}`);
}
