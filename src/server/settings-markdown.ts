import { type Setting, settingsTable, variableOf } from "./settings-table.js";

/** The table of `docs/settings.md`. */
export function settingsMarkdown(): string {
  const rows = settingsTable.map((setting) => {
    const initial = setting.kind === "text" ? setting.initial || "–" : String(setting.initial);
    return `| \`--${setting.name}\` | \`${variableOf(setting.name)}\` | ${initial} | ${rangeOf(setting)} | ${setting.description} |`;
  });
  return ["| flag | variable | default | values | what it is |", "| --- | --- | --- | --- | --- |", ...rows].join("\n");
}

function rangeOf(setting: Setting): string {
  switch (setting.kind) {
    case "text":
      return setting.choices?.join(", ") ?? "text";
    case "number":
      return `${setting.min} – ${setting.max}`;
    case "switch":
      return "true, false";
    default:
      return setting satisfies never;
  }
}
