import { afterEach, describe, test } from "vitest";
import { onPostgres } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { publishAndReadCities } from "./cities.js";

afterEach(killServerProcesses);

describe.each(onPostgres)("on %s", (kind) => {
  test("5000 cities, published and read by the command line, are the same, gapless and in order", () =>
    publishAndReadCities(kind, 5000));
});
