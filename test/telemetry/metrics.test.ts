import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSettings, startServer, type RunningServer } from "../../src/server/index.js";
import { createMetrics, silentLogger } from "../../src/telemetry/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { expectGeneratedTable } from "../support/generated-table.js";
import { databaseArguments } from "../support/server-process.js";

/** A metric, as the metrics page of a server describes it. */
interface ServedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
}

const page = "docs/metrics.md";

describe("the metrics page of a server", () => {
  let database: TestDatabase;
  let server: RunningServer;
  let served: readonly ServedMetric[];

  beforeAll(async () => {
    database = await createTestDatabase("embedded");
    const [option = "", value = ""] = databaseArguments(database.connection);
    const flags = { listen: "127.0.0.1:0", metrics: "127.0.0.1:0", [option.slice(2)]: value };
    server = await startServer(readSettings(flags, {}), silentLogger);
    served = readServed(await (await fetch(`http://${server.metricsAddress}/metrics`)).text());
  });
  afterAll(async () => {
    await server.drain();
    await database.drop();
  });

  test("agrees with docs/metrics.md (UPDATE_DOCS=1 writes that)", () => {
    expectGeneratedTable(page, metricsMarkdown(served));
  });

  test("has only metrics whose labels docs/metrics.md explains", () => {
    const explained = [...readFileSync(page, "utf8").matchAll(/^\| `(\w+)` of `(millrace_\w+)`/gm)];
    const labels = [...labelsByMetric()].flatMap(([name, names]) => names.map((label) => `${label} of ${name}`));
    expect(explained.map(([, label, name]) => `${label} of ${name}`).toSorted()).toEqual(labels.toSorted());
  });
});

function metricsMarkdown(served: readonly ServedMetric[]): string {
  const labels = labelsByMetric();
  const rows = served.map(({ name, type, help }) => {
    const names = labels.get(name) ?? [];
    return `| \`${name}\` | ${type} | ${names.map((label) => `\`${label}\``).join(", ") || "–"} | ${help} |`;
  });
  return ["| metric | type | labels | what it is |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

/** Reads Prometheus' text format: a line of help, a line of the type, then the values, if any. */
function readServed(text: string): ServedMetric[] {
  return [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm)].map(([, name = "", help = "", type = ""]) => ({
    name,
    help,
    type,
  }));
}

/** The names of labels come from the registry, since the text format shows a label only with a value. */
function labelsByMetric(): Map<string, readonly string[]> {
  const metrics = createMetrics().registry.getMetricsAsArray();
  return new Map(
    metrics.map((metric) => [metric.name, (metric as { labelNames?: readonly string[] }).labelNames ?? []]),
  );
}
