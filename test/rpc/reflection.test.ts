import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { afterEach, describe, expect, test } from "vitest";
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionService as V1,
} from "../../src/gen/grpc/reflection/v1/reflection.js";
import { ServerReflectionService as V1Alpha } from "../../src/gen/grpc/reflection/v1alpha/reflection.js";
import { closeAll, drainStream, startServer } from "./rpc-server.js";

afterEach(closeAll);

type Question = ServerReflectionRequest["messageRequest"];
type Answer = NonNullable<ServerReflectionResponse["messageResponse"]>;

async function ask(questions: readonly Question[], { serverReflectionInfo: method } = V1): Promise<Answer[]> {
  const { client } = await startServer({});
  const stream = client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize);
  for (const messageRequest of questions) stream.write({ host: "", messageRequest });
  stream.end();
  const { messages, error } = await drainStream<ServerReflectionResponse>(stream);
  expect(error).toBeUndefined();
  return messages.map(({ messageResponse }) => messageResponse as Answer);
}

async function askOne(question: Question): Promise<Answer> {
  const [answer] = await ask([question]);
  return answer as Answer;
}

function fileNames(answer: Answer): string[] {
  if (answer.$case !== "fileDescriptorResponse") throw new Error(JSON.stringify(answer));
  return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
}

const services = [
  "millrace.v1.TopicService",
  "millrace.v1.RecordService",
  "millrace.v1.SubscriptionService",
  "millrace.v1.StateService",
  "millrace.v1.InspectService",
  "routeguide.RouteGuide",
  "grpc.health.v1.Health",
  "grpc.channelz.v1.Channelz",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

describe("reflection", () => {
  for (const [version, shapes] of Object.entries({ V1, V1Alpha })) {
    test(`${version} lists every service`, async () => {
      const [answer] = await ask([{ $case: "listServices", value: "" }], shapes as typeof V1);
      expect(answer).toEqual({ $case: "listServicesResponse", value: { service: services.map((name) => ({ name })) } });
    });
  }

  test("gives each listed service's file with all its imports", async () => {
    const answers = await ask(services.map((value) => ({ $case: "fileContainingSymbol", value })));
    for (const answer of answers) {
      if (answer.$case !== "fileDescriptorResponse") throw new Error(JSON.stringify(answer));
      const files = answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
      const names = files.map(({ name }) => name);
      for (const { dependency } of files) for (const name of dependency) expect(names).toContain(name);
    }
    expect(answers.map((answer) => fileNames(answer)[0])).toEqual([
      "millrace/v1/topic_service.proto",
      "millrace/v1/record_service.proto",
      "millrace/v1/subscription_service.proto",
      "millrace/v1/state_service.proto",
      "millrace/v1/inspect_service.proto",
      "routeguide/route_guide.proto",
      "health/v1/health.proto",
      "channelz.proto",
      "grpc/reflection/v1/reflection.proto",
      "grpc/reflection/v1alpha/reflection.proto",
    ]);
  });

  const symbols = {
    "a method": "millrace.v1.RecordService.Append",
    "a message": "millrace.v1.FollowResponse",
    "a nested message": "millrace.v1.FollowResponse.Heartbeat",
    "a nested enum": "millrace.v1.FollowResponse.Heartbeat.Waiting",
    "a value of an enum": "millrace.v1.FollowResponse.Heartbeat.NEW_RECORDS",
    "a field": "millrace.v1.AppendRequest.expected_offset",
    "a oneof": "millrace.v1.FollowResponse.event",
    "a name with a leading dot": ".millrace.v1.FollowRequest",
  };
  for (const [what, value] of Object.entries(symbols)) {
    test(`finds ${what}`, async () => {
      expect(fileNames(await askOne({ $case: "fileContainingSymbol", value }))[0]).toBe(
        "millrace/v1/record_service.proto",
      );
    });
  }

  test("finds a file by its name", async () => {
    const names = fileNames(await askOne({ $case: "fileByFilename", value: "millrace/v1/record.proto" }));
    expect(names[0]).toBe("millrace/v1/record.proto");
    expect(names).toContain("google/protobuf/struct.proto");
  });

  test("gives the comments of the API's files, and no source locations of other files", async () => {
    const commented = async (name: string) => {
      const answer = await askOne({ $case: "fileContainingSymbol", value: name });
      if (answer.$case !== "fileDescriptorResponse") throw new Error(JSON.stringify(answer));
      const [file] = answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
      if (file === undefined) throw new Error(`There is no file of ${name}`);
      return { file, locations: file.sourceCodeInfo?.location ?? [] };
    };
    const { file, locations } = await commented("millrace.v1.TopicService");
    // A location names its element by the field numbers of `service` and `method`.
    for (const [index, { name }] of (file.service[0]?.method ?? []).entries()) {
      const comment = locations.find(({ path }) => path.join() === `6,0,2,${index}`)?.leadingComments;
      expect(comment, name).toMatch(/ Errors: INVALID_ARGUMENT/);
    }
    expect(file.service[0]?.method.map(({ name }) => name)).toContain("TrimTopic");
    for (const other of ["grpc.health.v1.Health", "grpc.channelz.v1.Channelz", "grpc.reflection.v1.ServerReflection"]) {
      expect((await commented(other)).locations, other).toEqual([]);
    }
  });

  test("answers NOT_FOUND for unknown names, and continues", async () => {
    const notThere: Question[] = [
      { $case: "fileByFilename", value: "no.proto" },
      { $case: "fileContainingSymbol", value: "no.Symbol" },
      { $case: "fileContainingExtension", value: { containingType: "millrace.v1.Record", extensionNumber: 1 } },
      { $case: "allExtensionNumbersOfType", value: "millrace.v1.Record" },
    ];
    const answers = await ask([...notThere, undefined, { $case: "listServices", value: "" }]);
    expect(answers).toMatchObject([
      ...notThere.map(() => ({ $case: "errorResponse", value: { errorCode: 5 } })),
      { $case: "errorResponse", value: { errorCode: 3 } },
      { $case: "listServicesResponse" },
    ]);
  });
});
