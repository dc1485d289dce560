import type { SubscriptionReport } from "../client/index.js";
import { type CommandContext, wantsJson } from "./command-context.js";
import { visible } from "./record-line.js";

/** Prints each report: as a JSON line, or on a terminal as a table that replaces the last one. */
export async function printReports(context: CommandContext, reports: AsyncIterable<SubscriptionReport>): Promise<void> {
  const { output } = context;
  const isJson = wantsJson(context);
  let shownLines = 0;
  for await (const report of reports) {
    if (isJson) {
      await output.print(JSON.stringify(report));
      continue;
    }
    // Cut, because a wrapped line would take two lines to move up over. An unknown width is 0.
    const width = process.stdout.columns || 200;
    const lines = [...reportLines(report)].map((line) => line.slice(0, width));
    // Move up to the start of the last table and clear everything below.
    const back = shownLines === 0 ? "" : `\u001B[${shownLines}F\u001B[J`;
    await output.print(back + lines.join("\n"));
    shownLines = lines.length;
  }
}

const consumerColumns = ["consumer", "peer", "node", "window", "outstanding", "acknowledged", "waits for"] as const;

/** A report as lines for people. */
export function* reportLines(report: SubscriptionReport): Generator<string> {
  const { subscription, cursor, lagRecords, lagBytes, lagAgeMs, consumers } = report;
  yield `${subscription.name}  of ${subscription.topic}  ${subscription.sharing}${subscription.isPaused ? "  paused" : ""}`;
  const age = lagAgeMs === undefined ? "" : `, ${ageText(lagAgeMs)} old`;
  yield `cursor ${cursor.offset}  lag ${lagRecords} records${age}, ${lagBytes} bytes`;
  yield `outstanding ${report.outstandingRecords}  retrying ${report.retryRecords}  parked ${report.parkedRecords}`;
  if (consumers.length === 0) {
    yield "no consumers";
    return;
  }
  const rows: (readonly string[])[] = [
    consumerColumns,
    ...consumers.map((consumer) => [
      visible(consumer.name),
      consumer.peer,
      visible(consumer.node),
      `${consumer.window.records}, ${consumer.window.bytes} B`,
      `${consumer.outstandingRecords}, ${consumer.outstandingBytes} B`,
      consumer.lastAcknowledgementTime?.toISOString() ?? "never",
      consumer.waiting === "nothing" ? "" : consumer.waiting.replaceAll("-", " "),
    ]),
  ];
  const widths = consumerColumns.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows)
    yield row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
}

/** An age in the largest unit that it reaches. */
function ageText(ms: number): string {
  for (const [unit, unitMs] of [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["min", 60_000],
  ] as const) {
    if (ms >= unitMs) return `${(ms / unitMs).toFixed(1)} ${unit}`;
  }
  return `${(ms / 1000).toFixed(1)} s`;
}
