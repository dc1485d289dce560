import { Option } from "commander";
import type { Rectangle } from "../client/index.js";
import { wholeNumberOption } from "./command-context.js";
import { CommandError } from "./output.js";

/** `--filter EXPRESSION` of the commands that read. */
export function filterOption(): Option {
  return new Option("--filter <expression>", "only records for which this CEL expression is true: docs/filters.md");
}

/** `--limit N` of the commands that print records or reports. */
export function limitOption(what = "records"): Option {
  return new Option("--limit <n>", `stop after this many ${what}`).argParser(wholeNumberOption("--limit", 1));
}

/** `--when-trimmed POLICY` of the commands that read a log. */
export function whenTrimmedOption(): Option {
  const policies = ["fail", "skip"] as const;
  return new Option("--when-trimmed <policy>", "what to do when the next record is no longer kept").choices(policies);
}

/** `--box W,S,E,N` of the commands that read a state. */
export function boxOption(): Option {
  return new Option(
    "--box <west,south,east,north>",
    "only records with a location inside, in degrees; west above east crosses the antimeridian",
  ).argParser(parseBox);
}

/** Reads `--box`, in GeoJSON's order. The server refuses degrees that are out of range. */
export function parseBox(text: string): Rectangle {
  const degrees = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  const [west, south, east, north] = degrees;
  if (
    degrees.length !== 4 ||
    degrees.some((value) => !Number.isFinite(value)) ||
    west === undefined ||
    south === undefined ||
    east === undefined ||
    north === undefined
  ) {
    throw new CommandError(`--box: must be WEST,SOUTH,EAST,NORTH in degrees; got ${JSON.stringify(text)}`, 2);
  }
  return { west, south, east, north };
}
