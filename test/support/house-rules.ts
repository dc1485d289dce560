import { isBuiltin } from "node:module";
import path from "node:path";
import { type ModuleLinks, readLinks, type SourceFile } from "./imports.js";

/** What one room may import, as a row of docs/architecture.md says it. A wing is a room inside a room: `engine/topics`. */
export interface Room {
  readonly name: string;
  /** Rooms that all of its files may import. */
  readonly imports: readonly string[];
  /** Rooms that one file alone may import: file name by room. */
  readonly importsFrom: ReadonlyMap<string, string>;
}

/** Which rooms may import a package. Node's own modules are everybody's. */
const packageHomes: Readonly<Record<string, readonly string[]>> = {
  "@bufbuild/protobuf": ["gen", "rpc", "wire", "cli"],
  "@electric-sql/pglite": ["store"],
  "@marcbachmann/cel-js": ["filter"],
  "@grpc/grpc-js": ["rpc", "client", "cli", "gen", "server"],
  "@grpc/proto-loader": ["cli"],
  "cli-progress": ["cli"],
  commander: ["cli"],
  "csv-parse": ["files"],
  "csv-stringify": ["files"],
  "grpc-health-check": ["rpc"],
  kysely: ["store", "tables"],
  pg: ["store", "tables"],
  pino: ["telemetry"],
  re2js: ["filter"],
  "prom-client": ["telemetry"],
};

/** Rooms inside a room, and who may import them besides their own room: the one that builds everything. */
const innerRooms: Readonly<Record<string, readonly string[]>> = { "store/postgres": ["server"] };

/** Generated code has a file a proto, and no door. */
const doorless = new Set(["gen"]);

/** What the package exports: a file of no room. */
const packageDoor = "src/index.ts";

/** Reads the table of docs/architecture.md: the rows whose first cell is `src/…`. */
export function readRooms(markdown: string): Room[] {
  const rows = [...markdown.matchAll(/^\| `src\/([\w/-]+)` \|.*\| ([^|]+) \|$/gm)].map(([, name = "", may = ""]) => ({
    name,
    may,
  }));
  const names = rows.map((row) => row.name);
  return rows.map(({ name, may }) => readRow(name, may, names));
}

/** A cell is `–`, or `a, b`, or `all but a and b`; after a semicolon also "`a` from `b.ts` alone". */
function readRow(name: string, may: string, names: readonly string[]): Room {
  const imports: string[] = [];
  const importsFrom = new Map<string, string>();
  for (const clause of may.split(";").map((each) => each.trim())) {
    const alone = /^`([\w-]+)` from `([\w.-]+)` alone$/.exec(clause);
    const allBut = /^all but (.+)$/.exec(clause);
    if (alone?.[1] !== undefined && alone[2] !== undefined) importsFrom.set(alone[1], alone[2]);
    else if (allBut?.[1] !== undefined) {
      const except = allBut[1].split(/, | and /);
      imports.push(...names.filter((each) => each !== name && !except.includes(each)));
    } else if (clause !== "–") imports.push(...clause.split(", "));
  }
  const unknown = [...imports, ...importsFrom.keys()].find((each) => !names.includes(each));
  if (unknown !== undefined) throw new Error(`The row of src/${name} names "${unknown}", which is not a room`);
  return { name, imports, importsFrom };
}

/** Every import and export that breaks a rule of the house, as a sentence each. */
export function findFaults(files: readonly SourceFile[], rooms: readonly Room[]): string[] {
  const links = new Map(files.map((file) => [file.path, readLinks(file)]));
  const faults = [...links].flatMap(([file, link]) => fileFaults(file, link, links, rooms));
  return [...faults, ...cycleFaults(links)];
}

function fileFaults(
  file: string,
  { specifiers, computed, exportsAll, exportsDefault }: ModuleLinks,
  links: ReadonlyMap<string, ModuleLinks>,
  rooms: readonly Room[],
): string[] {
  const room = rooms.find((each) => each.name === roomOf(file));
  const wing = wingOf(file, rooms);
  if (room === undefined && file !== packageDoor) return [`${file} is in no room of docs/architecture.md`];
  const faults = computed.map((text) => `${file} has ${text}: a computed import cannot be checked`);
  if (exportsAll) faults.push(`${file} has export *: a door names what it exports`);
  if (exportsDefault) faults.push(`${file} has a default export: exports have names`);
  for (const specifier of new Set(specifiers)) {
    const fault = specifier.startsWith(".")
      ? (moduleFault(file, resolve(file, specifier), links, room) ??
        wingFault(file, resolve(file, specifier), wing, rooms))
      : packageFault(file, specifier);
    if (fault !== undefined) faults.push(fault);
  }
  return faults;
}

function moduleFault(
  file: string,
  target: string,
  links: ReadonlyMap<string, ModuleLinks>,
  room: Room | undefined,
): string | undefined {
  const what = `${file} imports ${target}`;
  if (!links.has(target)) return `${what}: there is no such module`;
  const to = roomOf(target);
  if (room === undefined) return target === "src/client/index.ts" ? undefined : `${what}: it may import client's door`;
  if (room.name === to) return isOwnDoor(file, target) ? `${what}: files import siblings, never their door` : undefined;
  if (!mayImport(room, file, to) || isClosed(target, room)) return `${what}: ${describe(room)}`;
  if (!doorless.has(to) && !isDoor(target)) return `${what}: other rooms come in by src/${to}/index.ts alone`;
  return undefined;
}

/** What a wing imports of its own room: wings of its row, and nothing that belongs to no wing. */
function wingFault(file: string, target: string, wing: Room | undefined, rooms: readonly Room[]): string | undefined {
  if (wing === undefined || roomOf(file) !== roomOf(target)) return undefined;
  const to = wingOf(target, rooms);
  if (to !== undefined && (to === wing || wing.imports.includes(to.name))) return undefined;
  return `${file} imports ${target}: ${describe(wing)}`;
}

/** The innermost wing that a file is in, or is. */
function wingOf(file: string, rooms: readonly Room[]): Room | undefined {
  return rooms
    .filter(({ name }) => name.includes("/") && (file.startsWith(`src/${name}/`) || file === `src/${name}.ts`))
    .toSorted((one, other) => other.name.length - one.name.length)[0];
}

function mayImport(room: Room, file: string, to: string): boolean {
  return room.imports.includes(to) || room.importsFrom.get(to) === path.posix.basename(file);
}

function isClosed(target: string, room: Room): boolean {
  return Object.entries(innerRooms).some(
    ([inner, open]) => target.startsWith(`src/${inner}/`) && !open.includes(room.name),
  );
}

function isDoor(target: string): boolean {
  const folder = path.posix.dirname(target).slice("src/".length);
  return target.endsWith("/index.ts") && (!folder.includes("/") || folder in innerRooms);
}

/** A door that the file stands behind: of its room, or of a room inside it. */
function isOwnDoor(file: string, target: string): boolean {
  return isDoor(target) && file.startsWith(`${path.posix.dirname(target)}/`);
}

function packageFault(file: string, specifier: string): string | undefined {
  if (isBuiltin(specifier)) return undefined;
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  const homes = packageHomes[name];
  if (homes === undefined) return `${file} imports ${specifier}: ${name} has no home (test/support/house-rules.ts)`;
  return homes.includes(roomOf(file))
    ? undefined
    : `${file} imports ${specifier}: ${name} lives in ${homes.join(", ")}`;
}

function describe({ name, imports, importsFrom }: Room): string {
  const alone = [...importsFrom].map(([to, file]) => `${to} from ${file} alone`);
  const all = [...imports.map((to) => (to === "store" && name !== "server" ? "store (its door)" : to)), ...alone];
  return `${name} may import ${all.length === 0 ? "no other room" : all.join(", ")}`;
}

/** One fault for each import that leads back to where it came from, with the way round. */
function cycleFaults(links: ReadonlyMap<string, ModuleLinks>): string[] {
  const faults: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) {
      faults.push(`${[...way.slice(way.indexOf(file)), file].join(" → ")} is a cycle`);
      return;
    }
    if (done.has(file)) return;
    const specifiers = links.get(file)?.specifiers ?? [];
    for (const to of new Set(specifiers.filter((each) => each.startsWith(".")).map((each) => resolve(file, each)))) {
      visit(to, [...way, file]);
    }
    done.add(file);
  };
  for (const file of links.keys()) visit(file, []);
  return faults;
}

/** The source behind a relative specifier: they are written as what tsc emits (`./page.js`). */
function resolve(file: string, specifier: string): string {
  return path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, ".ts");
}

function roomOf(file: string): string {
  const [, room = "", inside] = file.split("/");
  return inside === undefined ? "" : room;
}
