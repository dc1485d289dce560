import { describe, expect, it } from "vitest";
import { defaultLimits } from "../../src/core/index.js";
import { readSettings, SettingError, settingsMarkdown, settingsTable, variableOf } from "../../src/server/index.js";
import { expectGeneratedTable } from "../support/generated-table.js";

describe("readSettings", () => {
  it("gives the defaults: loopback, embedded, the default limits", () => {
    expect(readSettings({}, {})).toMatchObject({
      listen: { host: "127.0.0.1", port: 50051 },
      database: { kind: "embedded", folder: "millrace-data" },
      metrics: undefined,
      autoCreate: true,
      limits: defaultLimits,
    });
  });

  it("prefers a flag over its variable, and uses DATABASE_URL if nothing else names a database", () => {
    const environment = { MILLRACE_LISTEN: "127.0.0.1:1", MILLRACE_BATCH_RECORDS: "7", DATABASE_URL: "postgres://a/b" };
    const settings = readSettings({ listen: "[::1]:2" }, environment);
    expect(settings.listen).toEqual({ host: "::1", port: 2 });
    expect(settings.limits.batchRecords).toBe(7);
    expect(settings.database).toEqual({ kind: "postgres", url: "postgres://a/b" });
    expect(readSettings({ "database-url": "postgres://c/d" }, environment).database).toEqual({
      kind: "postgres",
      url: "postgres://c/d",
    });
  });

  it.each([
    [{ listen: "0.0.0.0:50051" }, {}, /--listen: 0\.0\.0\.0 is not a loopback address/],
    [{ metrics: "example.org:80" }, {}, /--metrics: example\.org is not a loopback address/],
    [{ listen: "127.0.0.1" }, {}, /--listen: must be HOST:PORT, got "127\.0\.0\.1"/],
    [{ listen: "127.0.0.1:70000" }, {}, /--listen: must be HOST:PORT/],
    [{}, { MILLRACE_BATCH_RECORDS: "0" }, /MILLRACE_BATCH_RECORDS: must be a whole number from 1 to 100000, got "0"/],
    [{ "record-bytes": "1e3" }, {}, /--record-bytes: must be a whole number/],
    [
      {},
      { MILLRACE_LOG_LEVEL: "loud" },
      /MILLRACE_LOG_LEVEL: must be one of debug, info, warn, error, silent, got "loud"/,
    ],
    [{}, { MILLRACE_INSECURE: "maybe" }, /MILLRACE_INSECURE: must be true or false/],
    [{ "route-guide-features": "Features" }, {}, /--route-guide-features: must match \[a-z0-9\]/],
    [{ "route-guide-notes": "route-guide/features" }, {}, /--route-guide-notes: must not be the topic of the features/],
    [{ "page-bytes-min": "500000" }, {}, /--page-bytes-min \(500000\) must not be above --page-bytes-max \(262144\)/],
  ])("refuses %j %j", (flags, environment, message) => {
    expect(() => readSettings(flags as Record<string, string>, environment)).toThrow(message as RegExp);
    expect(() => readSettings(flags as Record<string, string>, environment)).toThrow(SettingError);
  });

  it("listens on other addresses with --insecure", () => {
    expect(readSettings({ listen: "0.0.0.0:50051", insecure: true }, {}).listen.host).toBe("0.0.0.0");
  });
});

describe("settingsTable", () => {
  it("has unique names, and variables made from them", () => {
    const names = settingsTable.map((setting) => setting.name);
    expect(new Set(names).size).toBe(names.length);
    expect(variableOf("page-bytes-max")).toBe("MILLRACE_PAGE_BYTES_MAX");
  });

  it("is the table in docs/settings.md (UPDATE_DOCS=1 writes it)", () => {
    expectGeneratedTable("docs/settings.md", settingsMarkdown());
  });
});
