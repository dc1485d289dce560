/** Runs a server as a process: reads the settings, handles signals, and gives the exit code. */

import { createLogger } from "../telemetry/index.js";
import { SettingError } from "./read-setting.js";
import { type DrainEnd, type RunningServer, startServer } from "./serve.js";
import { readSettings, type Settings } from "./settings.js";

/** The output of the process. */
export interface Terminal {
  print(line: string): void;
  printError(line: string): void;
}

/**
 * Serves until SIGTERM or SIGINT, then drains. A second signal ends the drain. Resolves with the exit code: 0 after a
 * drain, forced or not; 1 when it could not start or received a second signal; 2 for an invalid setting. Exit the
 * process then: after a code other than 0, or when the database did not answer, something may still be open.
 */
export async function runServer(
  flags: Readonly<Record<string, string | boolean | undefined>>,
  environment: Readonly<Record<string, string | undefined>>,
  terminal: Terminal,
): Promise<number> {
  let settings: Settings;
  try {
    settings = readSettings(flags, environment);
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    terminal.printError(error.message);
    return 2;
  }
  const logger = createLogger(settings.logLevel);
  const starting = new AbortController();
  const signals = nextSignals();
  void signals.first.then(() => starting.abort(new Error("stopped by a signal while starting")));
  let server: RunningServer;
  try {
    const started = await Promise.race([startServer(settings, logger, starting.signal), signals.second]);
    // The start cannot be aborted, for example because a file system hangs.
    if (typeof started === "string") throw new Error(`${started} again: stops without waiting`);
    server = started;
  } catch (error) {
    signals.forget();
    terminal.printError(`Cannot serve: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
  for (const line of greeting(server, settings)) terminal.print(line);
  const name = await signals.first;
  terminal.print(`${name}: draining, up to ${settings.drainGraceMs / 1000} s`);
  const { end, again } = await Promise.race([
    server.drain().then((drained) => ({ end: drained, again: undefined })),
    signals.second.then((signal) => ({ end: undefined, again: signal })),
  ]);
  signals.forget();
  if (end === undefined) {
    terminal.printError(`${again} again: stops without waiting`);
    return 1;
  }
  terminal.print(endings[end]);
  return 0;
}

const endings: Readonly<Record<DrainEnd, string>> = {
  ended: "Stopped",
  "cut-off": "Stopped; calls that did not end in time were cut off",
  unanswered: "Stopped; the database did not answer in time, so the outcome of its last statements is unknown",
};

function greeting(server: RunningServer, settings: Settings): string[] {
  const lines = [
    settings.database.kind === "embedded"
      ? `Embedded database in ${settings.database.folder}: acknowledged records survive kill -9, but not a power cut (it never fsyncs)`
      : "Postgres by DATABASE_URL: acknowledged records are on its disk",
  ];
  if (server.metricsAddress !== undefined) lines.push(`Metrics on http://${server.metricsAddress}/metrics`);
  lines.push(`Millrace is serving on ${server.address}`);
  return lines;
}

function nextSignals(): { readonly first: Promise<string>; readonly second: Promise<string>; forget(): void } {
  const names = ["SIGINT", "SIGTERM"] as const;
  const waiting: ((name: string) => void)[] = [];
  const first = new Promise<string>((resolve) => waiting.push(resolve));
  const second = new Promise<string>((resolve) => waiting.push(resolve));
  const onSignal = (name: string) => waiting.shift()?.(name);
  for (const name of names) process.on(name, onSignal);
  return {
    first,
    second,
    forget() {
      for (const name of names) process.off(name, onSignal);
    },
  };
}
