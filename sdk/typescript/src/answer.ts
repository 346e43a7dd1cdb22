// What a tool's function returned or threw, as an MCP result.
import { HostError, native } from "./host";

export interface Result { content: unknown[]; structuredContent?: unknown; isError?: true }

export const text = (text: string, isError?: true): Result => ({ content: [{ type: "text", text }], isError: isError! });

/** finish makes a result of what a function returned. */
export function finish(tool: string, value: any): Result {
  if (typeof value === "string") return text(value);
  if (typeof value !== "object" || value === null) return broken(tool, new TypeError(`it returned ${value === null ? "null" : typeof value}: return a text, an object or a result`));
  if (Array.isArray(value.content)) return value;
  if ("structuredContent" in value) return { content: [{ type: "text", text: JSON.stringify(value.structuredContent) }], ...value };
  return { content: [{ type: "text", text: JSON.stringify(value) }], structuredContent: value };
}

/** Errors that the engine throws when a program is wrong: a model cannot mend those. */
const bugs = [TypeError, ReferenceError, RangeError, EvalError, globalThis.InternalError];

/** broken makes a result of what a function threw, or throws on what is the servlet's own failure. */
export function broken(tool: string, error: any): Result {
  if (typeof error === "string") return text(error, true);
  if (error instanceof HostError && error.code === "conflict") throw error.message; // the host runs the call again
  const isBug = !(error instanceof Error) || !(error instanceof HostError) && bugs.some((kind) => kind && Object.getPrototypeOf(error) === kind.prototype);
  if (!isBug) {
    if (native.traced()) native.log(0, `${error}\n${error.stack ?? ""}`); // its author looks on
    return text(error.message || error.name, true);
  }
  native.log(3, `tool ${tool} stopped: ${error}\n${error?.stack ?? ""}`);
  throw `the tool ${tool} has a bug and stopped: ${error}`; // no Error: its stack would be of this line
}
