/**
 * Readings of sensors, one JSON object a line: validated, brought to one unit, and the rolling mean, minimum and maximum
 * of each sensor over a minute, every ten seconds of the readings' own time. What is wrong with the others is counted.
 *
 * Pieces: from, fromReadable, lines, settle, tryMap, filterMap, timeWindows, flatMap, forEach.
 *
 *     make example NAME=sensors ARGS="--file readings.ndjson --json"
 *     cat readings.ndjson | make -s example NAME=sensors
 *     make example NAME=sensors ARGS="--sample 20 --window-seconds 10"
 *
 * The last one, of twenty seconds of made-up weather, prints:
 *
 *     00:00:10  roof     10.1 °C (10.0 to 10.1), 10 readings
 *     00:00:10  cellar   21.8 °C (21.7 to 21.8), 10 readings
 *     00:00:10  pond     27.2 °C (27.2 to 27.3), 10 readings
 *     00:00:20  roof     10.2 °C (10.1 to 10.3), 10 readings
 *     00:00:20  cellar   21.8 °C (21.8 to 21.9), 10 readings
 *     00:00:20  pond     27.2 °C (27.2 to 27.2), 10 readings
 */

import { createReadStream } from "node:fs";
import { parseArgs } from "node:util";
import {
  filterMap,
  flatMap,
  forEach,
  from,
  fromReadable,
  lines,
  pipe,
  settle,
  type Source,
  timeWindows,
  tryMap,
} from "millrace/streams";
import { parseReading, type Reading, sampleLines } from "./reading.js";

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

/** The sensors of one window, each with what it measured there. */
function* rollingOf(end: number, readings: readonly Reading[]): Generator<Rolling, void> {
  const bySensor = new Map<string, Reading[]>();
  for (const reading of readings) bySensor.set(reading.sensor, [...(bySensor.get(reading.sensor) ?? []), reading]);
  for (const [sensor, ofSensor] of bySensor) {
    const celsius = ofSensor.map((reading) => reading.celsius);
    yield {
      sensor,
      until: new Date(end).toISOString(),
      readings: celsius.length,
      mean: celsius.reduce((sum, each) => sum + each, 0) / celsius.length,
      min: Math.min(...celsius),
      max: Math.max(...celsius),
    };
  }
}

function input(): Source<string> {
  if (values.sample !== undefined) return from(sampleLines(Number(values.sample)));
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
    const fault = result.error instanceof Error ? result.error.message : String(result.error);
    faults.set(fault, (faults.get(fault) ?? 0) + 1);
    return undefined;
  }),
  timeWindows({
    sizeMs: Number(values["window-seconds"]) * 1000,
    everyMs: Number(values["every-seconds"]) * 1000,
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

await forEach(rolling, (each) => process.stdout.write(print(each)));
const report = { late, faults: Object.fromEntries(faults) };
process.stderr.write(
  values.json ? `${JSON.stringify(report)}\n` : `late: ${late}; left out: ${JSON.stringify(report.faults)}\n`,
);
