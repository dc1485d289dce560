/**
 * Reads sensor readings, one JSON object a line, checks them and converts them to one unit. It prints the rolling mean, minimum
 * and maximum of each sensor over a minute, every ten seconds of the readings' own time. Invalid readings are counted by
 * reason.
 *
 * Pieces: from, fromReadable, lines, settle, tryMap, filterMap, timeWindows, flatMap, map, toWritable.
 *
 *     make example NAME=sensors ARGS="--file readings.ndjson --json"
 *     cat readings.ndjson | make -s example NAME=sensors
 *     make example NAME=sensors ARGS="--sample 100 --every-seconds 50"
 *
 * The last one, of a hundred seconds of made-up weather, prints:
 *
 *     00:00:10  roof     10.1 °C (10.0 to 10.1), 10 readings
 *     00:00:10  cellar   21.8 °C (21.7 to 21.8), 10 readings
 *     00:00:10  pond     27.2 °C (27.2 to 27.3), 10 readings
 *     00:01:00  roof     10.4 °C (10.0 to 10.8), 59 readings
 *     00:01:00  cellar   21.9 °C (21.7 to 22.1), 59 readings
 *     00:01:00  pond     27.1 °C (26.9 to 27.3), 59 readings
 *     00:01:50  roof     11.0 °C (10.7 to 11.3), 47 readings
 *     00:01:50  cellar   22.2 °C (22.1 to 22.3), 47 readings
 *     00:01:50  pond     26.8 °C (26.6 to 27.0), 47 readings
 *     late: 3; left out: {"not JSON":6,"no temperature on Earth":3}
 */

import { createReadStream } from "node:fs";
import { parseArgs } from "node:util";
import {
  filterMap,
  flatMap,
  from,
  fromReadable,
  lines,
  map,
  pipe,
  settle,
  type Source,
  timeWindows,
  toWritable,
  tryMap,
} from "millrace/streams";
import { InvalidReading, parseReading, type Reading, sampleLines } from "./reading.js";
import { wholeNumber } from "../whole-number.js";

const { values } = parseArgs({
  options: {
    file: { type: "string" },
    sample: { type: "string" },
    "window-seconds": { type: "string", default: "60" },
    "every-seconds": { type: "string", default: "10" },
    json: { type: "boolean", default: false },
  },
});

interface Rolling {
  readonly sensor: string;
  readonly until: string;
  readonly readings: number;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
}

interface Sums {
  readings: number;
  sum: number;
  min: number;
  max: number;
}

/** The sensors of one window, each with its measurements. */
function* rollingOf(end: number, readings: readonly Reading[]): Generator<Rolling, void> {
  const bySensor = new Map<string, Sums>();
  for (const { sensor, celsius } of readings) {
    const sums = bySensor.get(sensor) ?? { readings: 0, sum: 0, min: Infinity, max: -Infinity };
    sums.readings += 1;
    sums.sum += celsius;
    sums.min = Math.min(sums.min, celsius);
    sums.max = Math.max(sums.max, celsius);
    bySensor.set(sensor, sums);
  }
  const until = new Date(end).toISOString();
  for (const [sensor, { readings: count, sum, min, max }] of bySensor) {
    yield { sensor, until, readings: count, mean: sum / count, min, max };
  }
}

function input(): Source<string> {
  if (values.sample !== undefined) return from(sampleLines(wholeNumber("sample", values.sample)));
  return lines(fromReadable(values.file === undefined ? process.stdin : createReadStream(values.file)));
}

const faults = new Map<string, number>();
let late = 0;

const rolling = pipe(
  input(),
  settle(),
  tryMap(parseReading),
  filterMap((result) => {
    if (result.ok) return result.value;
    // The failure of the input, not of one reading.
    if (!(result.error instanceof InvalidReading)) throw result.error;
    const { message } = result.error;
    faults.set(message, (faults.get(message) ?? 0) + 1);
    return undefined;
  }),
  timeWindows({
    sizeMs: wholeNumber("window-seconds", values["window-seconds"], 1) * 1000,
    everyMs: wholeNumber("every-seconds", values["every-seconds"], 1) * 1000,
    timeOf: ({ time }) => time,
    maxItems: 100_000,
    onLate: () => (late += 1),
  }),
  flatMap(({ end, items }) => rollingOf(end, items)),
);

const print = values.json
  ? (each: Rolling) => `${JSON.stringify(each)}\n`
  : ({ sensor, until, readings, mean, min, max }: Rolling) =>
      `${until.slice(11, 19)}  ${sensor.padEnd(8)} ${mean.toFixed(1)} °C (${min.toFixed(1)} to ${max.toFixed(1)}), ${readings} readings\n`;

try {
  await pipe(rolling, map(print), toWritable(process.stdout, { end: false }));
} catch (error) {
  // No such file, too many readings in a window, or nobody reads the output any more.
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
const report = { late, faults: Object.fromEntries(faults) };
process.stderr.write(
  values.json ? `${JSON.stringify(report)}\n` : `late: ${late}; left out: ${JSON.stringify(report.faults)}\n`,
);
