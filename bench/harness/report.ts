/** Formats results for people: a table for the terminal, and Markdown. */

import type { Goal, Line, RowResult } from "./result.js";
import { median } from "./statistics.js";

export interface Report {
  readonly command: string;
  readonly date: string;
  readonly machine: readonly (readonly [string, string])[];
  readonly rows: readonly RowResult[];
}

/** Columns: subject, median, range of the rounds, ratio to ours, note. */
function cells(line: Line, ours: number | undefined): string[] {
  const middle = median(line.values);
  if (middle === undefined) return [line.subject, "–", "–", "–", line.note ?? ""];
  const range = `${formatNumber(Math.min(...line.values))} – ${formatNumber(Math.max(...line.values))}`;
  const share = ours === undefined ? "" : `${(middle / ours).toFixed(2)} ×`;
  const role = line.role === "limit" ? "limit" : "";
  const note = [role, line.note].filter(Boolean).join("; ");
  return [line.subject, `${formatNumber(middle)} ${line.unit}`, range, share, note];
}

const heading = ["", "median", "rounds", "of ours", ""];

function tableOf(row: RowResult): string[][] {
  const [first] = row.lines;
  const ours = first === undefined ? undefined : median(first.values);
  return [heading, ...row.lines.map((line) => cells(line, ours))];
}

function goalText({ text, measured, wanted, unit, isReached }: Goal, marks: { yes: string; no: string }): string {
  if (measured === undefined || isReached === undefined) return `${text}: not measured`;
  const amount = (value: number) => `${formatNumber(value)} ${unit}`;
  return `${text}: ${amount(measured)}, goal ${amount(wanted)}: ${isReached ? marks.yes : marks.no}`;
}

export function terminalReport(report: Report): string {
  const rows = report.rows.map((row) => {
    const table = tableOf(row);
    const widths = heading.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
    const lines = table.map((line) =>
      line
        .map((cell, column) =>
          column === 0 || column === 4 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    );
    const goals = row.goals.map((goal) => `  ${goalText(goal, { yes: "reached", no: "NOT reached" })}`);
    return [row.title, ...lines.map((line) => `  ${line}`), ...goals].join("\n");
  });
  return rows.join("\n\n");
}

export function markdownReport(report: Report): string {
  const machine = report.machine.map(([name, value]) => `| ${name} | ${value} |`);
  const rows = report.rows.flatMap((row) => [
    `## ${row.title[0]?.toUpperCase()}${row.title.slice(1)}`,
    "",
    ...tableOf(row).flatMap((line, index) => [
      `| ${line.join(" | ")} |`,
      ...(index === 0 ? ["| --- | ---: | ---: | ---: | --- |"] : []),
    ]),
    "",
    ...row.goals.map((goal) => `- ${goalText(goal, { yes: "**reached**", no: "**not reached**" })}`),
    "",
    ...row.notes.flatMap((note) => [note, ""]),
  ]);
  return [
    "# Benchmark results",
    "",
    `Written by \`${report.command}\` on ${report.date}; not by hand. What it measures: [docs/benchmarks.md](../docs/benchmarks.md).`,
    "",
    "| | |",
    "| --- | --- |",
    ...machine,
    "",
    ...rows,
  ].join("\n");
}

function formatNumber(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  return value.toFixed(Math.abs(value) >= 100 ? 0 : 2);
}
