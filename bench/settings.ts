/** What a run measures, and how much. Every value is an environment variable: `make bench NAME=…` sets it. */

import { fileURLToPath } from "node:url";

export const rowNames = [
  "cost",
  "replay",
  "filters",
  "publish",
  "upserts",
  "consume",
  "features",
  "fan-out",
  "memory",
  "latency",
  "held-snapshot",
  "disk",
  "many-topics",
  "scale",
  "streams",
] as const;

export type RowName = (typeof rowNames)[number];

export interface Settings {
  readonly rows: readonly RowName[];
  /** How often each subject of a row is measured, in turns; the table shows medians. */
  readonly rounds: number;
  /** Bytes of every record's body. */
  readonly bodyBytes: number;
  readonly replayRecords: number;
  /** When a naive replay is stopped. LIMIT/OFFSET gets slower with every page, so this favours it. */
  readonly naiveSeconds: number;
  /** Records of one round of publishing, in batches of `batchRecords`. */
  readonly publishRecords: number;
  readonly batchRecords: number;
  /** Records of one round of consuming with acknowledgements; a fiftieth of them where the window is 1. */
  readonly consumeRecords: number;
  /** Topics of the row `many-topics`. */
  readonly topics: number;
  /** Records of the largest topic of the row `scale`. */
  readonly scaleRecords: number;
  /** Commits beside a held snapshot, and as many without. */
  readonly heldCommits: number;
  readonly followers: number;
  /** Records of one round of the fan-out. */
  readonly fanOutRecords: number;
  readonly stalledStreams: number;
  /** Single records of one round of the latency row. */
  readonly latencySamples: number;
  /** Items of a work in the streams row; a round repeats a fast work. */
  readonly streamItems: number;
  /** The measured build: its cli/main.js. Another one allows to compare commits. */
  readonly serverEntry: string;
  /** Take CPU profiles of our server and client, and print where their time went. */
  readonly takesProfiles: boolean;
  /** Print the results as JSON on standard output, instead of the table. */
  readonly printsJson: boolean;
}

export function readSettings(environment: NodeJS.ProcessEnv, args: readonly string[]): Settings {
  const count = (name: string, initial: number) => readCount(name, environment[name], initial);
  return {
    rows: readRows(environment["ROWS"]),
    rounds: count("ROUNDS", 3),
    bodyBytes: count("BODY_BYTES", 128),
    replayRecords: count("REPLAY_RECORDS", 1_000_000),
    naiveSeconds: count("NAIVE_SECONDS", 15),
    publishRecords: count("PUBLISH_RECORDS", 100_000),
    batchRecords: count("BATCH_RECORDS", 500),
    consumeRecords: count("CONSUME_RECORDS", 200_000),
    topics: count("TOPICS", 10_000),
    scaleRecords: count("SCALE_RECORDS", 20_000_000),
    heldCommits: count("HELD_COMMITS", 100_000),
    followers: count("FOLLOWERS", 1000),
    fanOutRecords: count("FAN_OUT_RECORDS", 10_000),
    stalledStreams: count("STALLED_STREAMS", 1000),
    latencySamples: count("LATENCY_SAMPLES", 300),
    streamItems: count("STREAM_ITEMS", 100_000),
    serverEntry: environment["SERVER_ENTRY"] || fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url)),
    takesProfiles: isOn(environment["PROFILE"]),
    printsJson: isOn(environment["JSON"]) || args.includes("--json"),
  };
}

function readRows(text: string | undefined): readonly RowName[] {
  if (text === undefined || text === "") return rowNames;
  return text.split(",").map((name) => {
    const row = rowNames.find((each) => each === name.trim());
    if (row === undefined) throw new Error(`ROWS: there is no row "${name}"; there are ${rowNames.join(", ")}`);
    return row;
  });
}

function readCount(name: string, text: string | undefined, initial: number): number {
  if (text === undefined || text === "") return initial;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name}: "${text}" is not a whole number above 0`);
  return value;
}

function isOn(text: string | undefined): boolean {
  return text !== undefined && text !== "" && text !== "0";
}
