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

/** The window covers the whole archive: the three databases of a new Postgres are nearly the same. */
const compression = {
  [constants.BROTLI_PARAM_QUALITY]: 9,
  [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
};

/**
 * The write-ahead log before the last checkpoint is half of an archive, and nobody needs it. Without recycling, its
 * files are deleted instead of kept for reuse.
 */
const shortenLog = ["set wal_recycle = off", "select pg_switch_wal()", "checkpoint"];

/**
 * Makes the template of embedded databases: an initialised, migrated and closed PGlite, as an archive. Returns its
 * path. It takes a few seconds. An existing template is kept, since its name says that it fits.
 *
 * Databases made from it share what initdb chooses at random: the system identifier, which distinguishes physical
 * replicas and archives of the log, and a seed for passwords. PGlite has none of these. Millrace's own random values
 * (epochs, sessions) are chosen later. The only stored time is in `millrace.migrations`: when the template was made.
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
    await database.withConnection(async (connection) => {
      for (const command of shortenLog) await connection.command(command);
    });
  } finally {
    await database.close();
  }
}

async function archiveFolder(folder: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  await addTo(parts, folder, "");
  // An archive ends with two empty blocks.
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
