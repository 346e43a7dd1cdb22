/**
 * The SDK of Writ servlets: tools are registered as with the official MCP SDK, and every call runs in a
 * fresh sandbox that has only what `servlet.toml` requests and the operator grants.
 */

/** A JSON Schema of values of type T. */
export interface Schema<T = unknown> {
  readonly [described]?: T;
  readonly [keyword: string]: unknown;
}
declare const described: unique symbol;
declare const isOptional: unique symbol;

/** The type that a schema describes: `type City = Static<typeof city>`. */
export type Static<S> = S extends { readonly [described]?: infer T } ? T : never;

interface OptionalSchema<T> extends Schema<T> { readonly [isOptional]: true }
interface Annotations { title?: string; description?: string; default?: unknown; examples?: unknown[] }
interface StringOptions extends Annotations { minLength?: number; maxLength?: number; pattern?: string; format?: string }
interface NumberOptions extends Annotations {
  minimum?: number; maximum?: number; exclusiveMinimum?: number; exclusiveMaximum?: number; multipleOf?: number;
}
interface ArrayOptions extends Annotations { minItems?: number; maxItems?: number; uniqueItems?: boolean }
type OptionalKeys<P> = { [K in keyof P]: P[K] extends { readonly [isOptional]: true } ? K : never }[keyof P];
type ObjectOf<P> = { [K in Exclude<keyof P, OptionalKeys<P>>]: Static<P[K]> } & { [K in OptionalKeys<P>]?: Static<P[K]> };
type Flat<T> = { [K in keyof T]: T[K] } & {};

/**
 * Builds JSON Schemas whose types are inferred. The host checks arguments against them before the tool
 * runs, so there is no validator in the servlet.
 */
export declare const t: {
  string(options?: StringOptions): Schema<string>;
  number(options?: NumberOptions): Schema<number>;
  integer(options?: NumberOptions): Schema<number>;
  boolean(options?: Annotations): Schema<boolean>;
  null(options?: Annotations): Schema<null>;
  literal<const V extends string | number | boolean>(value: V, options?: Annotations): Schema<V>;
  enum<const V extends readonly (string | number)[]>(values: V, options?: Annotations): Schema<V[number]>;
  array<S extends Schema<any>>(items: S, options?: ArrayOptions): Schema<Static<S>[]>;
  record<S extends Schema<any>>(values: S, options?: Annotations): Schema<Record<string, Static<S>>>;
  union<S extends Schema<any>[]>(...of: S): Schema<Static<S[number]>>;
  any(options?: Annotations): Schema<any>;
  optional<T>(schema: Schema<T>): OptionalSchema<T>;
  object<P extends Record<string, Schema<any>>>(properties: P, options?: Annotations): Schema<Flat<ObjectOf<P>>>;
};

/** What zod, valibot, arktype and others offer (https://standardschema.dev). */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => any;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/**
 * A schema: of `t`, of a library that follows Standard Schema and says its JSON Schema, an object of
 * those, or plain JSON Schema.
 */
export type AnySchema = StandardSchema<any, any> | Schema<any> | { readonly [name: string]: StandardSchema<any, any> } | object;

/** The arguments that a tool with this input schema is given. */
export type Arguments<S> =
  S extends StandardSchema<any, infer O> ? O
  : S extends { readonly [described]?: infer T } ? (unknown extends T ? any : T)
  : S extends { readonly [name: string]: StandardSchema<any, any> } ? { [K in keyof S]: S[K] extends StandardSchema<any, infer O> ? O : never }
  : any;

export type Content =
  | { type: "text"; text: string }
  | { type: "image" | "audio"; data: string; mimeType: string }
  | { type: "resource_link"; uri: string; name: string; title?: string; description?: string; mimeType?: string }
  | { type: "resource"; resource: { uri: string; mimeType?: string; text: string } | { uri: string; mimeType?: string; blob: string } };

/** An MCP result. */
export interface ToolResult {
  content?: Content[];
  /** An object for programs, as the output schema describes it. Without content it is the text too. */
  structuredContent?: object;
  /** The tool did not do it; the content says why. */
  isError?: boolean;
  _meta?: Record<string, unknown>;
}

export interface ToolConfig<I extends AnySchema | undefined> {
  title?: string;
  /** What the model reads to decide whether to use the tool. */
  description?: string;
  /** Without one the tool takes no arguments, and its function is given the context first. */
  inputSchema?: I;
  outputSchema?: AnySchema;
  annotations?: { title?: string; readOnlyHint?: boolean; destructiveHint?: boolean; idempotentHint?: boolean; openWorldHint?: boolean };
  icons?: { src: string; mimeType?: string; sizes?: string[]; theme?: "light" | "dark" }[];
  _meta?: Record<string, unknown>;
}

/** What a tool's function is given besides its arguments. */
export interface Context {
  /** Never aborted: a call that is cancelled ends at once, wherever it is. It is here to be passed on. */
  readonly signal: AbortSignal;
  /** Tells a waiting client how far the call is; total 0 is unknown. Call it as often as you like. */
  progress(done: number, total?: number, message?: string): void;
  /** The official SDK's way to say the same and to log: notifications/progress and notifications/message. */
  sendNotification(notification: { method: string; params?: object }): Promise<void>;
}

/**
 * What a tool's function returns: a text, a result, or an object, which becomes structured content. An
 * error that it throws is a result for the model to read, unless it is one that only a mistake in the
 * program makes (TypeError and the like).
 */
export type ToolAnswer = string | ToolResult | object;

export declare class McpServer {
  readonly info: { name: string; version: string } | undefined;
  /** name and version are those of servlet.toml; what is given here is for other hosts. */
  constructor(info?: { name: string; version: string });
  /**
   * Adds a tool. Do it at the top level: the toolchain runs that once, while it builds the servlet, and
   * signs what it finds.
   */
  registerTool<const I extends AnySchema | undefined = undefined>(
    name: string,
    config: ToolConfig<I>,
    run: (args: I extends undefined ? Context : Arguments<I>, context: Context) => ToolAnswer | Promise<ToolAnswer>,
  ): void;
}

/**
 * The value of a key that servlet.toml declares: the operator's, or the default. It is undefined when
 * there is none, or when the running tool does not list the key in its uses.
 */
export declare function config(key: string): string | undefined;

/**
 * What the servlet keeps between calls, which `[capabilities.kv]` of servlet.toml requests. A key is 1 to 512
 * bytes, a value at most 1 MiB. The functions return at once; what they change is kept when the call has
 * succeeded, all of it or nothing. A HostError "conflict" says that another call was faster: let it pass,
 * and the host runs the call again.
 */
export declare const kv: {
  /** The text of a key; undefined: there is none. */
  get(key: string): string | undefined;
  getBytes(key: string): Uint8Array<ArrayBuffer> | undefined;
  set(key: string, value: string | ArrayBuffer | ArrayBufferView): void;
  /** Removes a key; one that is not there is fine. */
  delete(key: string): void;
  /** The keys that start with a prefix, in the order of their bytes. */
  keys(prefix?: string): string[];
  /** The same, with their texts. */
  entries(prefix?: string): [key: string, value: string][];
};

/**
 * Why the host did not do what was asked. code is one of denied, invalid, not_found, limit, unavailable,
 * conflict, unsupported, cancelled and internal.
 */
export declare class HostError extends TypeError {
  readonly code: string;
}
