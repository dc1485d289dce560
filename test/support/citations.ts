import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { SourceFile } from "./imports.js";
import { readTestTitles, type TestTitle } from "./test-titles.js";

/** What a test of citations looks at: texts that cite, and the paths of all files that may be cited. */
export interface Repository {
  readonly texts: readonly SourceFile[];
  readonly paths: ReadonlySet<string>;
}

/** What of a page can be cited. */
interface Page {
  /** Of headings such as `### 5. A title`. */
  readonly numbers: ReadonlySet<string>;
  /** Headings, and the bold words that open a paragraph: `**Flow control.**`. */
  readonly headings: ReadonlySet<string>;
  /** What a link may end with, after `#`. */
  readonly anchors: ReadonlySet<string>;
}

interface Citation {
  readonly index: number;
  /** As it is written, for the message. */
  readonly text: string;
  readonly page: string;
  readonly number?: string;
  readonly heading?: string;
  readonly anchor?: string;
}

const folders = ["src", "test", "bench", "docs", "examples", "proto", "scripts"];
const invariantsPage = "docs/invariants.md";

/** Between two words of a citation: a blank, or the end of a line of a comment. */
const gap = String.raw`(?:[ \t]+|[ \t]*\n[ \t]*(?:\*|//)?[ \t]*)`;
const pageName = String.raw`(?<page>(?:[\w.-]+/)*[\w-]+\.md)\b`;
const invariants = new RegExp(String.raw`\binvariants?${gap}(?<numbers>\d+(?:(?:,|,?${gap}and)${gap}\d+)*)`, "gi");
const numbered = new RegExp(
  String.raw`${pageName}(?:${gap}(?<marks>#\d+(?:,${gap}#\d+)*)|,${gap}rules?${gap}(?<rules>\d+(?:(?:,|${gap}and)${gap}\d+)*))`,
  "g",
);
const headed = new RegExp(String.raw`${pageName},${gap}"(?<heading>[^"]+)"`, "g");
const named = new RegExp(pageName, "g");
const filePath = /`(?<path>(?:src|test|bench|docs|examples|proto|scripts)\/[\w./-]+\.\w+)`/g;
const link = /\]\((?<target>[^)\s#]*)(?:#(?<anchor>[^)\s]+))?\)/g;
/** Citations that name no page of the repository: a paragraph sign, a number of a fact or a rule alone. */
const pageless = new RegExp(
  String.raw`\u00a7${gap}?\d*|(?<=[\s(])#\d+\b(?<!\.md${gap}#\d+(?:,${gap}#\d+)*)|\brules?${gap}\d+(?<!\.md,${gap}rules?${gap}\d+)`,
  "gi",
);

/** The files of this repository. Generated code has the comments of the protos, which are looked at themselves. */
export function readRepository(): Repository {
  const paths = folders
    .flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.posix.join(entry.parentPath, entry.name))
    .filter((file) => !/(^|\/)(node_modules|\.build)\//.test(file));
  paths.push("README.md");
  const citing = paths.filter((file) => /\.(ts|mjs|py|md|proto)$/.test(file) && !file.startsWith("src/gen/"));
  return {
    texts: citing.map((file) => ({ path: file, text: readFileSync(file, "utf8") })),
    paths: new Set(paths),
  };
}

/** Every citation that leads nowhere, as a sentence with its file and line. */
export function findCitationFaults({ texts, paths }: Repository): string[] {
  const pages = new Map(
    texts.filter((file) => file.path.endsWith(".md")).map((file) => [file.path, readPage(file.text)]),
  );
  return texts.flatMap((file) => {
    const text = withoutAddresses(file.text);
    const faults = citationsIn(text, file.path).map((citation) => ({
      index: citation.index,
      fault: faultOf(citation, file.path, pages, paths),
    }));
    for (const { index, 0: cited } of text.matchAll(pageless))
      faults.push({ index, fault: `cites ${oneLine(cited)}, which names no page` });
    const sentences = faults
      .toSorted((one, other) => one.index - other.index)
      .flatMap(({ index, fault }) => (fault === undefined ? [] : [`${file.path}:${lineOf(text, index)} ${fault}`]));
    return [...new Set(sentences)];
  });
}

/** Tests that pages name and that do not exist, and invariants that name no test which `make test` runs. */
export function findTestFaults({ texts }: Repository): string[] {
  const files = new Map(texts.map((file) => [file.path, file]));
  const titles = new Map<string, readonly TestTitle[]>();
  const faults: string[] = [];
  for (const { path: page, text } of texts.filter((file) => file.path.startsWith("docs/"))) {
    for (const { index, groups = {} } of text.matchAll(/^- `(?<file>test\/[^`]+)`: (?<title>.+)$/gm)) {
      const { file = "", title = "" } = groups;
      const source = files.get(file);
      const at = `${page}:${lineOf(text, index)}`;
      if (source === undefined) {
        faults.push(`${at} names ${file}, which does not exist`);
        continue;
      }
      const known = titles.get(file) ?? readTestTitles(source);
      titles.set(file, known);
      if (!known.some((test) => ` › ${test.join(" › ")}`.endsWith(` › ${title}`)))
        faults.push(`${at} names the test "${title}", which ${file} does not have`);
    }
    if (page === invariantsPage) faults.push(...untested(text));
  }
  return faults;
}

function untested(text: string): string[] {
  const sections = [...text.matchAll(/^### (?<number>\d+)\. [^]*?(?=^##|$(?![^]))/gm)];
  const faults = sections
    .filter(({ 0: section }) => !/^- `test\/[^`]+\.test\.ts`: /m.test(section))
    .map(
      ({ index, groups }) => `${invariantsPage}:${lineOf(text, index)} invariant ${groups?.["number"]} names no test`,
    );
  for (const [at, { index, groups }] of sections.entries())
    if (groups?.["number"] !== String(at + 1))
      faults.push(`${invariantsPage}:${lineOf(text, index)} has number ${groups?.["number"]}, expected ${at + 1}`);
  return faults;
}

function citationsIn(text: string, file: string): Citation[] {
  const citations: Citation[] = [];
  const numbersIn = (numbers: string | undefined) => numbers?.match(/\d+/g) ?? [];
  for (const { index, 0: cited, groups = {} } of text.matchAll(invariants))
    for (const number of numbersIn(groups["numbers"]))
      citations.push({ index, text: cited, page: invariantsPage, number });
  for (const { index, 0: cited, groups: { page = "", marks, rules } = {} } of text.matchAll(numbered))
    for (const number of numbersIn(marks ?? rules)) citations.push({ index, text: cited, page, number });
  for (const { index, 0: cited, groups: { page = "", heading = "" } = {} } of text.matchAll(headed))
    citations.push({ index, text: cited, page, heading: oneLine(heading) });
  const isPage = file.endsWith(".md");
  // A program finds out by itself when a path that it opens does not exist.
  for (const { index, 0: cited, groups: { page = "" } = {} } of text.matchAll(named))
    if (isPage || !page.startsWith("../")) citations.push({ index, text: cited, page });
  if (!isPage) return citations;
  for (const { index, groups: { path: page = "" } = {} } of text.matchAll(filePath))
    citations.push({ index, text: page, page });
  for (const { index, 0: cited, groups: { target = "", anchor } = {} } of text.matchAll(link))
    citations.push({
      index,
      text: cited,
      page: target || path.basename(file),
      ...(anchor !== undefined && { anchor }),
    });
  return citations;
}

function faultOf(
  { text, page, number, heading, anchor }: Citation,
  file: string,
  pages: ReadonlyMap<string, Page>,
  paths: ReadonlySet<string>,
): string | undefined {
  const found = resolve(page, file, paths);
  const cites = `cites ${oneLine(text)}`;
  if (found === undefined) return `${cites}: there is no ${page}`;
  const known = pages.get(found);
  if (number !== undefined && known?.numbers.has(number) !== true) return `${cites}: ${found} has no number ${number}`;
  if (heading !== undefined && known?.headings.has(heading) !== true)
    return `${cites}: ${found} has no heading "${heading}"`;
  if (anchor !== undefined && known?.anchors.has(anchor) !== true)
    return `${cites}: ${found} has no heading for #${anchor}`;
  return undefined;
}

/** From where it is cited, from the top, or in docs/. */
function resolve(page: string, file: string, paths: ReadonlySet<string>): string | undefined {
  const fromTop = page.replace(/^(?:\.\.\/)+/, "");
  const candidates = [path.posix.join(path.posix.dirname(file), page), fromTop, `docs/${fromTop}`];
  return candidates.find((candidate) => paths.has(candidate));
}

function readPage(text: string): Page {
  const titles = [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) => title);
  const leads = [...text.matchAll(/^\*\*([^*]+?)[.:]?\*\*/gm)].map(([, lead = ""]) => lead);
  const numbers = titles.map((title) => /^(\d+)\. /.exec(title)?.[1]);
  return {
    numbers: new Set(numbers.filter((number) => number !== undefined)),
    headings: new Set([...titles, ...leads]),
    anchors: new Set(titles.map(anchorOf)),
  };
}

/** As GitHub makes anchors of headings. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}

/** Other people's pages end with `.md` as well. */
function withoutAddresses(text: string): string {
  return text.replace(/\bhttps?:\/\/[^\s)]+/g, (address) => " ".repeat(address.length));
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*(?:\*|\/\/)?\s*/g, " ");
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}
