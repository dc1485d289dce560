/** Reads a value of each kind. What is wrong is a SettingError. */

import { checkTopicName, MillraceError } from "../core/index.js";
import type { Setting } from "./settings-table.js";

/** An invalid setting. The text names it, its value and its bounds. */
export class SettingError extends Error {
  override readonly name = "SettingError";
}

/** A value as a flag or a variable gives it: text, or `true` for a switch. */
export type GivenValue = string | boolean | undefined;

/** Reads a text, which is one of the choices if there are any. `where` names the flag or the variable. */
export function readText(setting: Extract<Setting, { kind: "text" }>, given: GivenValue, where: string): string {
  const value = given === undefined || typeof given === "boolean" ? setting.initial : given;
  if (setting.choices !== undefined && !setting.choices.includes(value)) {
    throw new SettingError(`${where}: must be one of ${setting.choices.join(", ")}, got ${JSON.stringify(value)}`);
  }
  return value;
}

/** Reads a whole number within its bounds. */
export function readNumber(setting: Extract<Setting, { kind: "number" }>, given: GivenValue, where: string): number {
  if (given === undefined) return setting.initial;
  const value = typeof given === "string" && /^\d+$/.test(given) ? Number(given) : Number.NaN;
  if (!(value >= setting.min && value <= setting.max)) {
    throw new SettingError(
      `${where}: must be a whole number from ${setting.min} to ${setting.max}, got ${JSON.stringify(given)}`,
    );
  }
  return value;
}

/** Reads a switch: on or off. */
export function readSwitch(setting: Extract<Setting, { kind: "switch" }>, given: GivenValue, where: string): boolean {
  if (given === undefined || given === "") return setting.initial;
  if (given === true || given === "true" || given === "1") return true;
  if (given === false || given === "false" || given === "0") return false;
  throw new SettingError(`${where}: must be true or false, got ${JSON.stringify(given)}`);
}

/** Reads the name of a topic. `name` is the setting's. */
export function readTopic(name: string, value: string): string {
  try {
    return checkTopicName(value, `--${name}`);
  } catch (error) {
    throw error instanceof MillraceError ? new SettingError(error.message) : error;
  }
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Reads HOST:PORT, or [HOST]:PORT for IPv6. Port 0 takes a free one. */
export function readAddress(name: string, value: string, isInsecure: boolean): Address {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(value);
  const host = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3] ?? Number.NaN);
  if (host === "" || !(port >= 0 && port <= 65_535)) {
    throw new SettingError(`--${name}: must be HOST:PORT, got ${JSON.stringify(value)}`);
  }
  if (!isInsecure && !isLoopback(host)) {
    throw new SettingError(
      `--${name}: ${host} is not a loopback address, and there is no TLS yet: everybody who can reach it could read and publish. Use 127.0.0.1, or give --insecure`,
    );
  }
  return { host, port };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
