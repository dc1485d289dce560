/**
 * Writes the published packages, `millrace` and `@millrace/client`, from one dist/, each into its own folder. Usage:
 * node scripts/build-packages.mjs OUT_FOLDER
 *
 * - **A package has only what is reached**: the modules that its exports and its command import, and the pages that its
 *   README links to. So there is no list of files to maintain.
 * - **package.json is derived** from the root's, the only one with versions. Dependencies are the packages that the
 *   modules import.
 * - **No source maps.** tsc emits the source without its types, comments included; a map would contain the whole
 *   source.
 * - **`require` works too**: each export has a CommonJS file of one line that requires the ES module, which Node 20.19
 *   supports. TypeScript's `module: node16` refuses that unless the file's declaration is CommonJS.
 */
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { argv } from "node:process";
import { reachableModules } from "./reachable-modules.mjs";

const top = JSON.parse(readFileSync("package.json", "utf8"));

/** The only file of the package that generated code needs for this specifier. */
const protobufWire = { "@bufbuild/protobuf/wire": "node_modules/@bufbuild/protobuf/dist/esm/wire/binary-encoding.js" };

const packages = [
  {
    folder: "millrace",
    readme: "README.md",
    exports: top.exports,
    // Files that the command line reads: the protos, for `call`, and the template, for the embedded database.
    assets: { "proto/millrace": "proto/millrace", "proto/spoken": "dist/spoken", "dist/templates": "dist/templates" },
    carried: {},
    manifest: { bin: top.bin },
  },
  {
    folder: "client",
    readme: "docs/client.md",
    exports: pick(top.exports, [".", "./streams", "./package.json"]),
    assets: {},
    // 50 KB of a package of 3 MB, which would be a sixth of a client's installation. The files keep their authors'
    // notices.
    carried: protobufWire,
    manifest: {
      name: "@millrace/client",
      description: "The client of Millrace, durable and ordered gRPC streams on Postgres, and its streams toolkit",
      keywords: ["millrace", "grpc", "client", "streams", "streaming", "async-iterator", "backpressure", "channels"],
      license: "Apache-2.0 AND BSD-3-Clause",
    },
  },
];

const [outFolder] = argv.slice(2);
if (outFolder === undefined) throw new Error("Usage: node scripts/build-packages.mjs OUT_FOLDER");
for (const each of packages) buildPackage(each, path.join(outFolder, each.folder));

function buildPackage({ readme, exports, assets, carried, manifest }, folder) {
  rmSync(folder, { recursive: true, force: true });
  const doors = Object.values(exports).filter((target) => target.default !== undefined);
  const commands = Object.values(manifest.bin ?? {});
  const entries = [...doors.flatMap(({ types, default: code }) => [types, code]), ...commands].map(path.normalize);

  const { modules, specifiers } = reachableModules(entries, carried);
  for (const [file, module] of modules) write(folder, placeOf(file), moduleText(file, module));
  for (const { types, default: code } of doors) writeCommonJsDoor(folder, types, code);
  for (const command of commands) chmodSync(path.join(folder, command), 0o755);

  for (const [from, to] of Object.entries(assets)) cpSync(from, path.join(folder, to), { recursive: true });
  cpSync("LICENSE", path.join(folder, "LICENSE"));
  writePages(folder, readme, assets);
  writeManifest(folder, { exports, specifiers, manifest });
}

/** The path of a module in the package. A carried module is in a folder with the name of its own package. */
function placeOf(file) {
  return file.replace(/^node_modules\/(.+)\/dist\/esm\//, "dist/carried/$1/");
}

/** Removes the link to a source map, and changes specifiers of carried modules to their paths. */
function moduleText(file, { text, links }) {
  let result = text;
  for (const { start, end, target } of links.toReversed()) {
    const specifier = path.relative(path.dirname(placeOf(file)), placeOf(target)).replace(/\.d\.ts$/, ".js");
    const relative = specifier.startsWith(".") ? specifier : `./${specifier}`;
    result = `${result.slice(0, start)}${JSON.stringify(relative)}${result.slice(end)}`;
  }
  return result.replace(/^\/\/# sourceMappingURL=.*\n?/m, "");
}

function writeCommonJsDoor(folder, types, code) {
  const module = `./${path.basename(code)}`;
  write(folder, code.replace(/\.js$/, ".cjs"), `module.exports = require("${module}");\n`);
  const note = "// @ts-ignore Node requires ES modules since 20.19, which `module: node16` does not know.";
  write(folder, types.replace(/\.d\.ts$/, ".d.cts"), `${note}\nexport * from "${module}";\n`);
}

/**
 * The README, and every page of docs/ that is linked. A link to a file outside the package becomes one to the project's
 * home.
 */
function writePages(folder, readme, assets) {
  const waiting = [readme];
  for (const page of waiting) {
    const place = page === readme ? "README.md" : page;
    const text = readFileSync(page, "utf8").replace(/\]\(([^)#:\s]+)(#[^)\s]*)?\)/g, (_link, target, anchor = "") => {
      const file = path.join(path.dirname(page), target);
      const isPage = /^docs\/[\w-]+\.md$/.test(file);
      if (isPage && !waiting.includes(file)) waiting.push(file);
      const to = file === readme ? "README.md" : isPage ? file : assetPlace(file, assets);
      return to === undefined
        ? `](${top.homepage}/${file}${anchor})`
        : `](${path.relative(path.dirname(place), to)}${anchor})`;
    });
    write(folder, place, text);
  }
}

function assetPlace(file, assets) {
  const from = Object.keys(assets).find((each) => file.startsWith(`${each}/`));
  return from === undefined ? undefined : file.replace(from, assets[from]);
}

function writeManifest(folder, { exports, specifiers, manifest }) {
  const { private: _private, devDependencies: _developers, allowScripts: _scripts, ...shared } = top;
  const whole = {
    ...shared,
    bin: undefined,
    ...manifest,
    exports: Object.fromEntries(Object.entries(exports).map(([name, target]) => [name, withCommonJs(target)])),
    dependencies: dependenciesOf(specifiers),
  };
  write(folder, "package.json", `${JSON.stringify(whole, undefined, 2)}\n`);
}

function withCommonJs(target) {
  if (target.default === undefined) return target;
  const { types, default: code } = target;
  return { import: target, require: { types: types.replace(/ts$/, "cts"), default: code.replace(/js$/, "cjs") } };
}

/** The packages that the modules import, with the versions of the root's package.json. */
function dependenciesOf(specifiers) {
  const names = [...specifiers]
    .filter((specifier) => !specifier.startsWith("node:"))
    .map((specifier) => /^(@[^/]+\/)?[^/]+/.exec(specifier)[0]);
  const unknown = names.find((name) => top.dependencies[name] === undefined);
  if (unknown !== undefined) throw new Error(`Cannot depend on ${unknown}: package.json does not have it`);
  return pick(top.dependencies, [...new Set(names)].toSorted());
}

function pick(object, names) {
  return Object.fromEntries(names.map((name) => [name, object[name]]));
}

function write(folder, file, text) {
  const target = path.join(folder, file);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, text);
}
