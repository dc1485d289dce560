/** One name in the list of files of docs/architecture.md. */
interface ListedName {
  readonly line: number;
  /** The name with its folder, for a message. */
  readonly what: string;
  readonly exists: boolean;
  /** The files that it stands for. The name of a folder alone stands for none. */
  readonly files: readonly string[];
}

const page = "docs/architecture.md";
const listed = /^## The rooms, file by file$[^]*?^```$\n([^]*?)^```$/m;
/** A room at the beginning of a line, or a folder (`reading/`, `operators/…`) or a file (`csv-….ts`) inside it. */
const names = /^(?<room>[\w/-]+\/)(?= )|(?<![\w/…-])(?<name>[\w-]+\/…?|[\w…-]+\.ts)/gm;

/**
 * Compares the list of files in docs/architecture.md with the files that exist, in both directions. Gives a sentence for
 * each name without a file, and for each file without a name. The page describes the notation above its list.
 */
export function findListFaults(text: string, files: readonly string[]): string[] {
  const list = readList(text, files);
  const named = new Set(list.flatMap((each) => each.files));
  const unnamed = files.filter((file) => !named.has(file) && !hasNoPlace(file));
  return [
    ...list
      .filter((each) => !each.exists)
      .map(({ line, what }) => `${page}:${line} names ${what}, which does not exist`),
    ...unnamed.map((file) => `${page} does not name ${file} under "The rooms, file by file"`),
  ];
}

/** Generated code, the doors of rooms, and the package's own door. */
function hasNoPlace(file: string): boolean {
  return file.startsWith("src/gen/") || file.endsWith("/index.ts");
}

function readList(text: string, files: readonly string[]): ListedName[] {
  const section = listed.exec(text);
  const list = section?.[1];
  if (section === null || list === undefined) throw new Error(`${page} has no list under "The rooms, file by file"`);
  const start = section.index + section[0].length - "```".length - list.length;
  let room = "";
  let folder = "";
  return [...list.matchAll(names)].map(({ index, groups = {} }) => {
    const line = text.slice(0, start + index).split("\n").length;
    const name = groups["room"] ?? groups["name"] ?? "";
    const [opened = ""] = name.split("…");
    if (!opened.endsWith("/")) {
      const found = filesOf(name, [folder, room], files);
      return { line, what: `${name} of ${folder}`, exists: found.length > 0, files: found };
    }
    if (groups["room"] !== undefined) room = `src/${name}`;
    folder = groups["room"] === undefined ? room + opened : room;
    const inside = files.filter((file) => file.startsWith(folder));
    return { line, what: folder, exists: inside.length > 0, files: name === opened ? [] : inside };
  });
}

/** The files that a name stands for in the first of the folders that has some. */
function filesOf(name: string, folders: readonly string[], files: readonly string[]): readonly string[] {
  const pattern = new RegExp(`^${name.replaceAll(".", "\\.").replaceAll("…", "[\\w-]+")}$`);
  const found = folders.map((folder) =>
    files.filter((file) => file.startsWith(folder) && pattern.test(file.slice(folder.length))),
  );
  return found.find((each) => each.length > 0) ?? [];
}
