import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";
import { silentLogger } from "../../../telemetry/index.js";
import { openEmbedded } from "../database/open-embedded.js";
import { migrate } from "../migrations/migrate.js";
import { encodeTarHeader, tarBlockBytes } from "./tar-header.js";
import { templateName } from "./template-name.js";

const compress = promisify(brotliCompress);

/** With a window that the whole archive fits in: the three databases of a new Postgres are nearly the same. */
const compression = {
  [constants.BROTLI_PARAM_QUALITY]: 9,
  [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
};

/**
 * The parts of the log before the last checkpoint are of no use to anybody, and are half of an archive. Neither are they kept to be
 * written over.
 */
const shortenLog = ["set wal_recycle = off", "select pg_switch_wal()", "checkpoint"];

/**
 * Makes the template of embedded databases: a PGlite that was initialised, migrated and closed, as an archive. Returns its path. It
 * takes a few seconds, and is left as it stands where `parent` has it: its name tells that it fits.
 *
 * The databases that are made of it share what initdb draws at random: the system identifier, by which physical replicas and
 * archives of the log are told apart, and a seed for passwords. PGlite has none of them. What Millrace draws (epochs, sessions), it
 * draws later, and `millrace.migrations` has the one date: when the template was made.
 */
export async function makeTemplate(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  const file = join(parent, templateName());
  if ((await readdir(parent)).includes(templateName())) return file;
  const draft = await mkdtemp(join(parent, "draft-"));
  try {
    await makeDatabase(draft);
    const archive = await archiveFolder(join(draft, "postgres"));
    await writeFile(join(draft, "archive"), await compress(archive, { params: compression }));
    await rename(join(draft, "archive"), file);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return file;
}

async function makeDatabase(folder: string): Promise<void> {
  const database = await openEmbedded({
    folder,
    template: undefined,
    poolWaitMs: 10_000,
    statementTimeoutMs: 0,
    idleInTransactionMs: 0,
    logger: silentLogger,
    metrics: undefined,
  });
  try {
    await migrate(database);
    await database.session(async (session) => {
      for (const command of shortenLog) await session.command(command);
    });
  } finally {
    await database.close();
  }
}

async function archiveFolder(folder: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  await addTo(parts, folder, "");
  // Two empty blocks end an archive.
  return Buffer.concat([...parts, Buffer.alloc(2 * tarBlockBytes)]);
}

async function addTo(parts: Buffer[], folder: string, within: string): Promise<void> {
  const entries = await readdir(join(folder, within), { withFileTypes: true });
  for (const entry of entries.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
    const name = join(within, entry.name);
    if (entry.isDirectory()) {
      parts.push(encodeTarHeader({ kind: "folder", name }));
      await addTo(parts, folder, name);
    } else {
      const content = await readFile(join(folder, name));
      const padding = Buffer.alloc(-content.length & (tarBlockBytes - 1));
      parts.push(encodeTarHeader({ kind: "file", name, size: content.length }), content, padding);
    }
  }
}
