// Made-up calls while the servlet is built, so that what an engine prepares for the first call of its kind
// is in the memory that every call starts with. No tool's function runs.
import { finish } from "./answer";
import type { Tool } from "./tool";

/** Kept, so that the engine keeps how such objects are laid out. */
const kept: unknown[] = [];

function sample(schema: any, depth = 0): unknown {
  if (typeof schema !== "object" || schema === null || depth > 6) return null;
  if ("const" in schema) return schema.const;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  const one = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(one)) return sample(one[0], depth + 1);
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case "object": return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, s]) => [name, sample(s, depth + 1)]));
    case "array": return [sample(schema.items, depth + 1)];
    case "number": case "integer": return schema.minimum ?? 1;
    case "boolean": return true;
    case "string": return "x".repeat(Math.min(schema.minLength ?? 1, 64));
  }
  return null;
}

export function warm(tools: Tool[]): void {
  for (const tool of tools) {
    const request = JSON.stringify({ method: "tools/call", params: { name: tool.name, arguments: sample(tool.input.json) } });
    const read = JSON.parse(request) as { params: { arguments: unknown } };
    kept.push(read, finish(tool.name, "x"));
    try {
      const outcome = tool.input.validate?.(read.params.arguments);
      if (outcome instanceof Promise) outcome.catch(() => {});
    } catch {
      // A schema's own code may not like a made-up value; then its first call is slower, nothing else.
    }
  }
}
