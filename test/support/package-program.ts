/** One program in the forms in which users of a package write it. */
export interface PackageProgram {
  /** With `import`: as JavaScript and as TypeScript. */
  readonly module: string;
  /** With `require`. */
  readonly commonJs: string;
  /** What it prints. */
  readonly prints: string;
}

interface Parts {
  /** The names that it imports, by module. */
  readonly imports: Readonly<Record<string, readonly string[]>>;
  /** What it does besides. */
  readonly also: string;
  readonly prints: string;
}

/**
 * Publishes records and reads them back, recognizes an error by its class, and runs a pipeline without a server. Its arguments
 * are the server's address and a topic. It has no annotations, so it is also JavaScript. It does not compile where the package's
 * declarations are not found: then the call below `@ts-expect-error` is no error.
 */
export function packageProgram({ imports, also, prints }: Parts): PackageProgram {
  const body = `
async function main(address, topic) {
  const millrace = createClient({ address });
  const publisher = millrace.publisher(topic);
  await Promise.all(["a", "b", "c"].map((text) => publisher.publish({ text })));
  await publisher.close();
  const texts = pipe(millrace.follow(topic, { start: "earliest" }), map((record) => record.text), take(3));
  console.log(...(await collect(texts, { limit: 3 })));
  const failure = await millrace.topics.get("missing").catch((error) => error);
  console.log(failure instanceof NotFoundError, failure.code);
  console.log(...(await collect(pipe(from([1, 2, 3]), map((n) => n * n)), { limit: 3 })));
  ${also}
  // @ts-expect-error A topic's name is a text.
  void (() => millrace.publisher(7));
  millrace.close();
}
const [, , address = "", topic = ""] = process.argv;
void main(address, topic);
`;
  const lines = (line: (names: string, module: string) => string): string =>
    Object.entries(imports)
      .map(([module, names]) => line(names.join(", "), module))
      .join("\n");
  return {
    module: lines((names, module) => `import { ${names} } from "${module}";`) + body,
    commonJs: lines((names, module) => `const { ${names} } = require("${module}");`) + body,
    prints: ["a b c", "true NOT_FOUND", "1 4 9", prints, ""].join("\n"),
  };
}

export const serverProgram = packageProgram({
  imports: {
    millrace: ["createClient", "NotFoundError"],
    "millrace/streams": ["collect", "from", "map", "pipe", "take"],
    "millrace/files": ["recordsFromNdjson"],
    "millrace/tables": ["TableError"],
  },
  also: `const [imported] = await collect(recordsFromNdjson([Buffer.from('{"text":"of a file"}')]), { limit: 1 });
  console.log(imported?.text, new TableError("none") instanceof Error);`,
  prints: "of a file true",
});

export const clientProgram = packageProgram({
  imports: {
    "@millrace/client": ["createClient", "NotFoundError"],
    "@millrace/client/streams": ["channel", "collect", "from", "map", "pipe", "take"],
  },
  also: `const { sender, receiver } = channel({ capacity: 1 });
  void sender.send("of a channel").then(() => sender.close());
  console.log(...(await collect(receiver, { limit: 1 })));`,
  prints: "of a channel",
});
