/** Durations and sizes on the command line, with their units. */

import { CommandError } from "./output.js";

const durations = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const sizes = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
} as const;

/** Reads a number with a unit, such as 90s or 7d, in milliseconds; 0 needs no unit. */
export function durationOption(name: string): (text: string) => number {
  const units = Object.keys(durations).join(", ");
  return (text) => {
    const ms = readAmount(text, durations);
    if (ms !== undefined) return ms;
    throw new CommandError(
      `${name}: must be a number with a unit (${units}) such as 90s or 7d, got ${JSON.stringify(text)}`,
      2,
    );
  };
}

/** Reads a number of bytes, or one with a unit, such as 10GiB. */
export function sizeOption(name: string): (text: string) => number {
  const units = Object.keys(sizes).join(", ");
  return (text) => {
    const bytes = readAmount(/^\d+$/.test(text) ? `${text}B` : text, sizes);
    if (bytes !== undefined && Number.isInteger(bytes)) return bytes;
    throw new CommandError(
      `${name}: must be a number of bytes, or one with a unit (${units}) such as 10GiB, got ${JSON.stringify(text)}`,
      2,
    );
  };
}

function readAmount(text: string, units: Readonly<Record<string, number>>): number | undefined {
  if (text === "0") return 0;
  const [, digits, unit = ""] = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(text) ?? [];
  if (digits === undefined || !Object.hasOwn(units, unit)) return undefined;
  const amount = Number(digits) * (units[unit] ?? Number.NaN);
  return Number.isSafeInteger(Math.floor(amount)) ? amount : undefined;
}
