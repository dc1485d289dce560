export { runServer } from "./run.js";
export { startServer } from "./serve.js";
export { readSettings, SettingError, settingsMarkdown, settingsTable, variableOf } from "./settings.js";
export type { Terminal } from "./run.js";
export type { RunningServer } from "./serve.js";
export type { Address, Setting, Settings } from "./settings.js";
