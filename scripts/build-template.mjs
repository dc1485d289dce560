/**
 * Puts the template of embedded databases into a folder. Usage: node scripts/build-template.mjs OUT_FOLDER
 *
 * It is made by what is in dist/, which takes seconds, and only when migrations or PGlite have changed: it is kept by its name.
 */
import { copyFile, mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { argv } from "node:process";
import { makeTemplate } from "../dist/store/postgres/template/make-template.js";

const [, , folder] = argv;
const template = await makeTemplate("node_modules/.cache/millrace-templates");
await mkdir(folder, { recursive: true });
await copyFile(template, join(folder, basename(template)));
