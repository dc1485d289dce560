#!/usr/bin/env node
import { Command } from "commander";

const program = new Command("millrace").description("Durable, ordered gRPC streams on Postgres");
// Only what is asked for is loaded: a client's command does not wait for a database.
if (process.argv[2] === "serve" || process.argv[2] === "help" || process.argv[2] === "--help") {
  const { addServeCommand } = await import("./serve.js");
  addServeCommand(program);
}
await program.parseAsync();
