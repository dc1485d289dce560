import { readFileSync } from "node:fs";
import {
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient } from "../../src/index.js";
import { readHeaderOutput, runExample } from "../examples/run-example.js";
import { createTestDatabase, onPostgres, type TestDatabase } from "../support/database.js";
import {
  databaseArguments,
  killServerProcesses,
  type ServerProcess,
  startServerProcess,
} from "../support/server-process.js";
import { oneOf, seededRandom } from "../support/soak.js";

/** The tutorial's service, its features loaded by the documented command, called by proto-loader's client. */

interface Point {
  readonly latitude: number;
  readonly longitude: number;
}

interface Feature {
  readonly name: string;
  readonly location: Point;
}

interface Note {
  readonly location: Point;
  readonly message: string;
}

type Callback<Response> = (error: ServiceError | null, response: Response) => void;

interface RouteGuideClient extends Client {
  getFeature(point: Point, callback: Callback<Feature>): void;
  listFeatures(rectangle: { readonly lo: Point; readonly hi: Point }): ClientReadableStream<Feature>;
  recordRoute(callback: Callback<Record<string, number>>): ClientWritableStream<Point>;
  routeChat(): ClientDuplexStream<Note, Note>;
}

const folder = new URL("../../", import.meta.url).pathname;
const features = JSON.parse(
  readFileSync(`${folder}examples/routeguide/route_guide_features.json`, "utf8"),
) as readonly Feature[];
const named = features.filter(({ name }) => name !== "");

const definition = loadSync("routeguide/route_guide.proto", { includeDirs: [`${folder}proto/spoken`], defaults: true });
const { RouteGuide } = (
  loadPackageDefinition(definition) as unknown as { routeguide: { RouteGuide: ServiceClientConstructor } }
).routeguide;

const nowhere: Point = { latitude: 0, longitude: 0 };
/** New Jersey, as the tutorial's clients request it. */
const everything = {
  lo: { latitude: 400_000_000, longitude: -750_000_000 },
  hi: { latitude: 420_000_000, longitude: -730_000_000 },
};

afterAll(killServerProcesses);

describe.each(onPostgres)("routeguide.RouteGuide on %s", (kind) => {
  let database: TestDatabase;
  let server: ServerProcess;
  let client: RouteGuideClient;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    const args = "--listen 127.0.0.1:0 --log-level warn".split(" ");
    server = await startServerProcess([...args, ...databaseArguments(database.connection)]);
    client = new RouteGuide(server.address, credentials.createInsecure()) as unknown as RouteGuideClient;
  });
  afterAll(async () => {
    client.close();
    await server.stop();
    await database.drop();
  });

  const getFeature = (point: Point) => answered<Feature>((callback) => client.getFeature(point, callback));
  const recordRoute = (points: readonly Point[]) =>
    answered<Record<string, number>>((callback) => {
      const call = client.recordRoute(callback);
      for (const point of points) call.write(point);
      call.end();
    });
  const listFeatures = (lo: Point, hi: Point) => collect(client.listFeatures({ lo, hi }));

  test("without its topics every place is empty; one command loads the tutorial's features", async () => {
    expect(await getFeature(nowhere)).toEqual({ name: "", location: nowhere });
    expect(await listFeatures(everything.lo, everything.hi)).toEqual([]);
    expect(await recordRoute(named.slice(0, 2).map(({ location }) => location))).toMatchObject({
      pointCount: 2,
      featureCount: 0,
    });
    const loaded = await runExample("routeguide", ["--address", server.address]);
    expect(loaded).toMatchObject({ code: 0, stderr: "", stdout: await readHeaderOutput("routeguide") });
    const again = await runExample("routeguide", ["--address", server.address]);
    expect(again.stdout).toMatch(/: 0 published, 100 there already\n$/);
  });

  test("GetFeature, returns the name of a feature, and none where there is nothing", async () => {
    for (const feature of features.slice(0, 5)) expect(await getFeature(feature.location)).toEqual(feature);
    expect(await getFeature({ latitude: 1, longitude: -1 })).toEqual({
      name: "",
      location: { latitude: 1, longitude: -1 },
    });
  });

  test("ListFeatures, returns everything between two corners, edges included", async () => {
    const within = ({ lo, hi }: { readonly lo: Point; readonly hi: Point }) =>
      named.filter(
        ({ location: { latitude, longitude } }) =>
          latitude >= Math.min(lo.latitude, hi.latitude) &&
          latitude <= Math.max(lo.latitude, hi.latitude) &&
          longitude >= Math.min(lo.longitude, hi.longitude) &&
          longitude <= Math.max(lo.longitude, hi.longitude),
      );
    const random = seededRandom(4);
    const corner = () => oneOf(random, named as [Feature, ...Feature[]]).location;
    const boxes = [
      everything,
      { lo: everything.hi, hi: everything.lo },
      { lo: corner(), hi: nowhere },
      ...named.slice(0, 3).map(({ location }) => ({ lo: location, hi: location })),
      ...Array.from({ length: 5 }, () => ({ lo: corner(), hi: corner() })),
    ];
    for (const box of boxes) expect(byName(await listFeatures(box.lo, box.hi))).toEqual(byName(within(box)));
    expect(await listFeatures(everything.lo, everything.hi)).toHaveLength(named.length);
  });

  test("RecordRoute, sums up a route of any length", async () => {
    const [first, second] = [features[0], features[1]] as [Feature, Feature];
    // By the angle between vectors: another formula than the server's.
    expect(await recordRoute([first.location, second.location, nowhere])).toMatchObject({
      pointCount: 3,
      featureCount: 2,
      distance: 8_720_029,
      elapsedTime: 0,
    });
    const long = Array.from({ length: 250 }, (_, index) => features[index % features.length]?.location ?? nowhere);
    expect(await recordRoute(long)).toMatchObject({
      pointCount: 250,
      featureCount: long.filter((point) => named.some(({ location }) => location === point)).length,
    });
    expect(await recordRoute([])).toMatchObject({ pointCount: 0, featureCount: 0, distance: 0 });
  });

  test("refuses invalid places, and names their fields", async () => {
    const refused = (field: string) => ({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining(`${field}: must be from -`) as string,
    });
    await expect(getFeature({ latitude: 900_000_001, longitude: 0 })).rejects.toMatchObject(refused("latitude"));
    await expect(listFeatures(nowhere, { latitude: 0, longitude: -1_800_000_001 })).rejects.toMatchObject(
      refused("hi.longitude"),
    );
    await expect(recordRoute([nowhere, { latitude: -2_000_000_000, longitude: 0 }])).rejects.toMatchObject(
      refused("latitude"),
    );
    const chat = client.routeChat();
    chat.write({ location: { latitude: 0, longitude: 2_000_000_000 }, message: "far away" });
    await expect(collect(chat)).rejects.toMatchObject(refused("location.longitude"));
  });

  test("RouteChat, what the tutorial's clients expect: the earlier notes of each place, and then the end", async () => {
    const say = async (texts: readonly [string, number][]) => {
      const chat = client.routeChat();
      for (const [message, longitude] of texts) chat.write({ location: { latitude: 1, longitude }, message });
      chat.end();
      return (await collect(chat)).map(({ message }) => message);
    };
    const notes: [string, number][] = [
      ["First", 0],
      ["Second", 1],
      ["Third", 2],
      ["Fourth", 0],
      ["Fifth", 0],
      ["Sixth", 1],
    ];
    expect(await say(notes)).toEqual(["First", "Fourth", "Second"]);
    expect(await say([["Seventh", 0]])).toEqual(["First", "Fourth", "Fifth"]);
    expect(await say([])).toEqual([]);
  });

  test("RouteChat, sends everybody at a place the others' notes, live, and notes that were published otherwise", async () => {
    const here = { latitude: 2, longitude: 0 };
    const elsewhere = { latitude: 2, longitude: 1 };
    const [ada, bob] = [new Chatter(client), new Chatter(client)];
    await ada.say(here, "ada 1");
    // The second note is answered with the first, so the first is recorded.
    await ada.say(here, "ada 2");
    await ada.heard("ada 1");
    await bob.say(here, "bob 1");
    await bob.heard("ada 1");
    await ada.heard("bob 1");
    await bob.say(elsewhere, "bob 2");
    const millrace = createClient({ address: server.address });
    await millrace.append("route-guide/notes", [
      { key: "2,0", json: { not: "a note" } },
      { key: "2,0", text: "record" },
    ]);
    millrace.close();
    await ada.heard("record");
    await bob.heard("record");
    await ada.say(here, "ada 3");
    expect(await bob.heard("ada 3")).toEqual(["ada 1", "ada 2", "record", "ada 3"]);
    expect(await ada.end()).toEqual(["ada 1", "bob 1", "record", "ada 2"]);
    expect(await bob.end()).toEqual(["ada 1", "ada 2", "record", "ada 3"]);
  });

  test("RouteChat, misses and repeats no note, however many write at once", async () => {
    const random = seededRandom(7);
    const places = [0, 1, 2].map((longitude) => ({ latitude: 3, longitude }));
    const written: Note[][] = [];
    const chatters = Array.from({ length: 6 }, () => new Chatter(client));
    await Promise.all(
      chatters.map(async (chatter, number) => {
        const notes = Array.from({ length: 10 }, (_, index) => ({
          location: oneOf(random, places as [Point, ...Point[]]),
          message: `${number}.${index}`,
        }));
        written[number] = notes;
        for (const { location, message } of notes) await chatter.say(location, message);
        // When the last note there is returned, all are recorded. Nothing tells whether the probe itself is.
        const last = notes.at(-1) as Note;
        await chatter.say(last.location, "more");
        await chatter.heard(last.message);
      }),
    );
    for (const [number, chatter] of chatters.entries()) {
      const own = written[number] as Note[];
      const at = (note: Note) => `${note.location.longitude}`;
      const visited = new Set(own.map(at));
      // The last one at a place is only returned for another note there.
      const lastPlace = at(own.at(-1) as Note);
      const lastOwn = new Set(
        [...visited]
          .filter((place) => place !== lastPlace)
          .map((place) => own.findLast((note) => at(note) === place)?.message),
      );
      const due = written
        .flat()
        .filter((note) => visited.has(at(note)) && !lastOwn.has(note.message))
        .map(({ message }) => message);
      const heard = (await chatter.end()).filter((message) => message !== "more");
      expect(heard.sort()).toEqual(due.sort());
    }
  });
});

/** A call of RouteChat, and the notes that it received. */
class Chatter {
  readonly #call: ClientDuplexStream<Note, Note>;
  readonly #messages: string[] = [];
  readonly #ended: Promise<void>;
  #onMessage: () => void = () => undefined;

  constructor(client: RouteGuideClient) {
    this.#call = client.routeChat();
    this.#call.on("data", ({ message }: Note) => {
      this.#messages.push(message);
      this.#onMessage();
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#call.on("end", resolve);
      this.#call.on("error", reject);
    });
    this.#ended.catch(() => undefined);
  }

  say(location: Point, message: string): Promise<void> {
    return new Promise((resolve) => void this.#call.write({ location, message }, () => resolve()));
  }

  /** Waits for a note, and returns all notes until then. */
  heard(message: string): Promise<string[]> {
    const found = new Promise<string[]>((resolve) => {
      const look = () => {
        if (this.#messages.includes(message)) resolve([...this.#messages]);
      };
      this.#onMessage = look;
      look();
    });
    return Promise.race([
      found,
      this.#ended.then(() => {
        throw new Error(`It ended after ${this.#messages.join(", ")}, without ${message}`);
      }),
    ]);
  }

  async end(): Promise<string[]> {
    this.#call.end();
    await this.#ended;
    return [...this.#messages];
  }
}

function answered<Response>(call: (callback: Callback<Response>) => void): Promise<Response> {
  return new Promise((resolve, reject) => call((error, response) => (error ? reject(error) : resolve(response))));
}

async function collect<Item>(stream: ClientReadableStream<Item> | ClientDuplexStream<never, Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of stream) items.push(item as Item);
  return items;
}

function byName(list: readonly Feature[]): Feature[] {
  return list.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
