// A builder of JSON Schemas: its values are plain JSON Schema, and TypeScript infers the type that each
// one describes (types/index.d.ts). There is no validator here: the host checks arguments.
import type * as sdk from "../types/index";

type Schemas = Record<string, sdk.Schema<any>>;

/** The schemas that optional made. */
const optionals = new WeakSet<object>();

const typed = (type: string) => (options: object = {}): any => ({ type, ...options });

export const t: typeof sdk.t = {
  string: typed("string"),
  number: typed("number"),
  integer: typed("integer"),
  boolean: typed("boolean"),
  null: typed("null"),
  literal: (value: unknown, options: object = {}): any => ({ const: value, ...options }),
  enum: (values: unknown, options: object = {}): any => ({ enum: values, ...options }),
  array: (items: unknown, options: object = {}): any => ({ type: "array", items, ...options }),
  record: (values: unknown, options: object = {}): any => ({ type: "object", additionalProperties: values, ...options }),
  union: (...of: unknown[]): any => ({ anyOf: of }),
  any: (options: object = {}): any => ({ ...options }),
  optional: (schema: object): any => {
    const copy = { ...schema };
    optionals.add(copy);
    return copy;
  },
  object: (properties: Schemas, options: object = {}): any => ({
    type: "object", properties,
    required: Object.keys(properties).filter((name) => !optionals.has(properties[name]!)),
    additionalProperties: false, ...options,
  }),
};
