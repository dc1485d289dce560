import { describe, expect, test } from "vitest";
import { findCitationFaults, findTestFaults, readRepository, type Repository } from "./support/citations.js";

describe("the repository", () => {
  const repository = readRepository();

  test("cites pages, numbers and headings that exist", () => {
    expect(findCitationFaults(repository)).toEqual([]);
  });

  test("names tests that exist, and one for each invariant", () => {
    expect(findTestFaults(repository)).toEqual([]);
  });
});

const invariants = `# Invariants

### 1. Offsets are gapless

- \`test/log.test.ts\`: Log › append(), is gapless after …
- \`test/log.test.ts\`: %s, is read

### 2. A publish is durable

- \`test/log.test.ts\`: append(), is durable
`;

const tests = `
describe("Log", () => {
  test("append(), is durable", () => {});
  for (const fault of faults) test(\`append(), is gapless after \${fault}\`, () => {});
  test.each(["a log"])("%s, is read", () => {});
});
`;

const sound: Record<string, string> = {
  "docs/invariants.md": invariants,
  "docs/grpc-js.md": "# Facts\n\n### 3. A write may never call back\n\n**Flow control.** A window.\n",
  "README.md":
    "# Millrace\n\n## What is *promised*\n\n[facts](docs/grpc-js.md#3-a-write-may-never-call-back) [here](#what-is-promised)\n",
  "test/log.test.ts": tests,
};

/** A repository of these files, with some changed. The numbers are apart from their words, or this file would cite them. */
function repositoryWith(changes: Record<string, string>): Repository {
  const texts = Object.entries({ ...sound, ...changes }).map(([path, text]) => ({ path, text }));
  return { texts, paths: new Set(texts.map(({ path }) => path)) };
}

describe("findCitationFaults()", () => {
  const faultsOf = (text: string, path = "src/x.ts") => findCitationFaults(repositoryWith({ [path]: text }));
  const page = "grpc-js.md";

  const resolved = {
    "an invariant": `// invariant ${1}`,
    "several invariants": `// invariants ${1} and ${2}; invariants ${1}, ${2}`,
    "an invariant, in two lines": `/**\n * as invariant\n * ${2} says\n */`,
    "a fact": `// ${page} #${3}`,
    "a heading": `// ${page}, "3. A write may never call back"`,
    "the first words of a paragraph": `// docs/${page}, "Flow\n// control"`,
    "a page": `// docs/${page}`,
    "a path that the program opens": 'readFile("../elsewhere.md")',
    "another site's page": `// https://example.org/other.${"md"}`,
  };
  for (const [what, text] of Object.entries(resolved)) {
    test(`resolves ${what}`, () => {
      expect(faultsOf(text)).toEqual([]);
    });
  }

  const faulty: readonly { what: string; text: string; path?: string; fault: string }[] = [
    {
      what: "an invariant that does not exist",
      text: `\n// invariants ${1} and ${9}`,
      fault: `src/x.ts:2 cites invariants ${1} and ${9}: docs/invariants.md has no number 9`,
    },
    {
      what: "a fact that does not exist",
      text: `// (${page} #${3}, #${4})`,
      fault: `src/x.ts:1 cites ${page} #${3}, #${4}: docs/grpc-js.md has no number 4`,
    },
    {
      what: "a rule that does not exist",
      text: `// (${page}, rule\n// ${4})`,
      fault: `src/x.ts:1 cites ${page}, rule ${4}: docs/grpc-js.md has no number 4`,
    },
    {
      what: "a heading that does not exist",
      text: `// ${page}, "Windows"`,
      fault: `src/x.ts:1 cites ${page}, "Windows": docs/grpc-js.md has no heading "Windows"`,
    },
    {
      what: "a page that does not exist",
      text: `// reference/elsewhere.${"md"}`,
      fault: `src/x.ts:1 cites reference/elsewhere.${"md"}: there is no reference/elsewhere.${"md"}`,
    },
    {
      what: "a number of no page",
      text: `// Never rejects (#${5}).`,
      fault: `src/x.ts:1 cites #${5}, which names no page`,
    },
    {
      what: "a rule of no page",
      text: `// as rule ${5} says`,
      fault: `src/x.ts:1 cites rule ${5}, which names no page`,
    },
    {
      what: "a section of no page",
      text: `// (design \u00a7${5})`,
      fault: `src/x.ts:1 cites \u00a7${5}, which names no page`,
    },
    {
      what: "a link to a page that does not exist",
      path: "README.md",
      text: "[x](LICENCE)",
      fault: "README.md:1 cites ](LICENCE): there is no LICENCE",
    },
    {
      what: "a link to a heading that does not exist",
      path: "README.md",
      text: `[x](docs/${page}#nowhere)`,
      fault: `README.md:1 cites ](docs/${page}#nowhere): docs/grpc-js.md has no heading for #nowhere`,
    },
    {
      what: "a file that does not exist",
      path: "README.md",
      text: "see `src/y.ts`",
      fault: "README.md:1 cites src/y.ts: there is no src/y.ts",
    },
  ];
  for (const { what, text, path, fault } of faulty) {
    test(`tells ${what}`, () => {
      expect(faultsOf(text, path)).toEqual([fault]);
    });
  }
});

describe("findTestFaults()", () => {
  const faultsOf = (text: string) => findTestFaults(repositoryWith({ "docs/invariants.md": text }));

  test("accepts invariants with tests that exist", () => {
    expect(faultsOf(invariants)).toEqual([]);
  });

  const faulty: readonly { what: string; text: string; fault: string }[] = [
    {
      what: "a test that does not exist",
      text: invariants.replace("append(), is durable", "append(), is fast"),
      fault: 'docs/invariants.md:10 names the test "append(), is fast", which test/log.test.ts does not have',
    },
    {
      what: "a part of a title",
      text: invariants.replace("append(), is durable", "is durable"),
      fault: 'docs/invariants.md:10 names the test "is durable", which test/log.test.ts does not have',
    },
    {
      what: "a file that does not exist",
      text: invariants.replace("log.test.ts`: %s", "logs.test.ts`: %s"),
      fault: "docs/invariants.md:6 names test/logs.test.ts, which does not exist",
    },
    {
      what: "an invariant without a test",
      text: invariants.replace("- `test/log.test.ts`: append(), is durable\n", ""),
      fault: "docs/invariants.md:8 invariant 2 names no test",
    },
    {
      what: "an invariant that is out of order",
      text: invariants.replace("### 2.", "### 3."),
      fault: "docs/invariants.md:8 has number 3, expected 2",
    },
  ];
  for (const { what, text, fault } of faulty) {
    test(`tells ${what}`, () => {
      expect(faultsOf(text)).toEqual([fault]);
    });
  }

  test("does not take a soak for a test that `make test` runs", () => {
    const soaks = {
      "test/log.soak.ts": tests,
      "docs/invariants.md": invariants.replaceAll("log.test.ts", "log.soak.ts"),
    };
    expect(findTestFaults(repositoryWith(soaks))).toEqual([
      "docs/invariants.md:3 invariant 1 names no test",
      "docs/invariants.md:8 invariant 2 names no test",
    ]);
  });
});
