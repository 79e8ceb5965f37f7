// Validates an AsyncAPI document, Avro payloads included, without a network. Exit status 1 when it has an error.
// Usage: node check-asyncapi.mjs ../../asyncapi.yaml
import { AvroSchemaParser } from "@asyncapi/avro-schema-parser";
import { fromFile, Parser } from "@asyncapi/parser";

const [path] = process.argv.slice(2);
if (!path) {
  console.error("Usage: node check-asyncapi.mjs FILE");
  process.exit(2);
}

const ERROR = 0;
const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
const { document, diagnostics } = await fromFile(parser, path).parse();

for (const { code, message, path: where, range } of diagnostics.filter(({ severity }) => severity === ERROR)) {
  console.error(`${path}:${range.start.line + 1}: ${code}: ${message} (at ${where.join(".") || "the top"})`);
}
if (!document) process.exit(1);
console.log(`${path}: valid, ${document.allMessages().length} messages`);
