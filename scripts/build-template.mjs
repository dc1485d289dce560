/**
 * Writes the template of embedded databases into a folder. Usage: node scripts/build-template.mjs OUT_FOLDER
 *
 * dist/ makes it, which takes seconds. An existing template is kept while its name matches the migrations and PGlite's
 * version.
 */
import { copyFile, mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { argv } from "node:process";
import { makeTemplate } from "../dist/store/postgres/template/make-template.js";

const [, , folder] = argv;
const template = await makeTemplate("node_modules/.cache/millrace-templates");
await mkdir(folder, { recursive: true });
await copyFile(template, join(folder, basename(template)));
