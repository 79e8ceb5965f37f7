// Validates an OpenAPI document without a network. Exit status 1 when it has an error.
// Usage: node check-openapi.mjs ../../openapi.yaml
import { Validator } from "@seriousme/openapi-schema-validator";

const [path] = process.argv.slice(2);
if (!path) {
  console.error("Usage: node check-openapi.mjs FILE");
  process.exit(2);
}

const validator = new Validator();
const { valid, errors } = await validator.validate(path);
if (!valid) {
  console.error(`${path}: ${typeof errors === "string" ? errors : JSON.stringify(errors, null, 2)}`);
  process.exit(1);
}
validator.resolveRefs(); // throws for a reference that leads nowhere
console.log(`${path}: valid OpenAPI ${validator.version}`);
