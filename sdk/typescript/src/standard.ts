// The schemas that a tool can be registered with: plain JSON Schema, t of this SDK, anything that follows
// Standard Schema (standardschema.dev: zod, valibot, arktype) and says its JSON Schema, or an object of
// those, as the official SDK has it.

interface Issue { message: string; path?: readonly (PropertyKey | { key: PropertyKey })[] }
type Outcome = { value: unknown; issues?: undefined } | { issues: readonly Issue[] };
interface Standard {
  "~standard": {
    vendor: string;
    validate(value: unknown): Outcome | Promise<Outcome>;
    jsonSchema?: { input(o: { target: string }): object; output(o: { target: string }): object };
  };
}

/** validate is undefined when the host's check of the JSON Schema is all there is. */
export interface Checked { json: object; validate?: (value: unknown) => Outcome | Promise<Outcome> }

const isStandard = (s: unknown): s is Standard => (typeof s === "object" || typeof s === "function") && s !== null && "~standard" in s;
const target = { target: "draft-2020-12" };

function toJSON(schema: Standard, side: "input" | "output"): Record<string, unknown> {
  const standard = schema["~standard"];
  const said = standard.jsonSchema?.[side](target) ?? (schema as any).toJSONSchema?.({ io: side });
  if (!said) throw new TypeError(`a schema of ${standard.vendor} does not say its JSON Schema: ${standard.vendor === "valibot" ? 'wrap it in toStandardJsonSchema of "@valibot/to-json-schema"' : "use a newer release of it, or pass plain JSON Schema"}`);
  return JSON.parse(JSON.stringify(said));
}

/** fields reads an object of schemas, such as {city: z.string()}. */
function fields(shape: Record<string, Standard>): Checked {
  const entries = Object.entries(shape);
  const optional = (s: Standard) => { const r = s["~standard"].validate(undefined); return !(r instanceof Promise) && !r.issues; };
  const json = {
    type: "object",
    properties: Object.fromEntries(entries.map(([name, s]) => [name, strip(toJSON(s, "input"))])),
    required: entries.filter(([, s]) => !optional(s)).map(([name]) => name),
    additionalProperties: false,
  };
  return {
    json,
    async validate(value) {
      const out: Record<string, unknown> = {}, issues: Issue[] = [];
      for (const [name, s] of entries) {
        const r = await s["~standard"].validate((value as Record<string, unknown>)[name]);
        if (r.issues) issues.push(...r.issues.map((i) => ({ ...i, path: [name, ...(i.path ?? [])] })));
        else if (r.value !== undefined) out[name] = r.value;
      }
      return issues.length ? { issues } : { value: out };
    },
  };
}

const strip = ({ $schema: _, ...rest }: Record<string, unknown>): object => rest;

export function checked(schema: unknown, side: "input" | "output"): Checked {
  if (isStandard(schema)) return { json: strip(toJSON(schema, side)), validate: (v) => schema["~standard"].validate(v) };
  if (typeof schema !== "object" || schema === null) throw new TypeError("a schema is a JSON Schema, or of a library that follows Standard Schema");
  const values = Object.values(schema);
  if (values.length && values.every(isStandard)) return fields(schema as Record<string, Standard>);
  return { json: schema };
}

/** explain words issues for the model. */
export const explain = (issues: readonly Issue[]): string => issues.map((i) => {
  const path = (i.path ?? []).map((p) => String(typeof p === "object" ? p.key : p)).join(".");
  return path ? `${path}: ${i.message}` : i.message;
}).join("; ");
