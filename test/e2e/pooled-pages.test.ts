import { describe, test } from "vitest";
import { onPostgres } from "../support/database.js";
import { seededRandom } from "../support/soak.js";
import { readPooled } from "./pooled-pages.js";

describe.each(onPostgres)("on %s", (kind) => {
  test("60 readers at once each get their own bytes from reused buffers", () => readPooled(kind, 60, seededRandom(1)));
});
