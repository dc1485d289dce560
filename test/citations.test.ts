import { describe, expect, test } from "vitest";
import { findCitationFaults, findTestFaults, readRepository } from "./support/citations.js";

describe("the repository", () => {
  const repository = readRepository();

  test("cites pages, numbers and headings that exist", () => {
    expect(findCitationFaults(repository)).toEqual([]);
  });

  test("names tests that exist, and one for each invariant", () => {
    expect(findTestFaults(repository)).toEqual([]);
  });
});
