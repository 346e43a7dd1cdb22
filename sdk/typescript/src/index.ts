// The SDK of servlets in TypeScript: tools are registered as with the official MCP SDK.
import { broken, finish, text } from "./answer";
import { makeContext } from "./context";
import { native } from "./host";
import { turn } from "./loop";
import { checked, explain, type Checked } from "./standard";
import type { Tool } from "./tool";
import { warm } from "./warm";

export { config } from "./config";
export { HostError } from "./host";
export { kv } from "./kv";
export { t } from "./schema";

const tools = new Map<string, Tool>();

interface Config { inputSchema?: unknown; outputSchema?: unknown }

export class McpServer {
  constructor(readonly info?: { name: string; version: string }) {}

  registerTool(name: string, config: Config, run: Tool["run"]): void {
    if (tools.has(name)) throw new Error(`two tools are named "${name}"`);
    if (typeof run !== "function") throw new TypeError(`tool "${name}" has no function`);
    const { inputSchema, outputSchema, ...rest } = config;
    const input = inputSchema === undefined ? { json: { type: "object", properties: {}, additionalProperties: false } } : checked(inputSchema, "input");
    const output = outputSchema === undefined ? undefined : checked(outputSchema, "output").json;
    tools.set(name, { name, definition: { name, ...rest, inputSchema: input.json, outputSchema: output }, input, bare: inputSchema === undefined, run });
  }
}

interface Request { method: string; params: { name: string; arguments?: unknown } }

function dispatch(request: Request): unknown {
  if (request.method !== "tools/call") throw new Error(`this servlet answers tools/call, not ${String(request.method).slice(0, 40)}`);
  const tool = tools.get(request.params.name);
  if (!tool) throw new Error(`this servlet has no tool "${String(request.params.name).slice(0, 80)}"`);
  const args = request.params.arguments ?? {};
  let result: unknown;
  try {
    const context = makeContext();
    result = tool.input.validate ? validated(tool, args) : tool.run(tool.bare ? context : args, context);
  } catch (error) {
    return broken(tool.name, error);
  }
  if (typeof (result as PromiseLike<unknown> | undefined)?.then !== "function") return finish(tool.name, result);
  return Promise.resolve(result).then((value) => finish(tool.name, value), (error) => broken(tool.name, error));
}

/** validated runs a tool with what its own schema makes of the arguments. */
function validated(tool: Tool, args: unknown): unknown {
  const go = (outcome: Awaited<ReturnType<NonNullable<Checked["validate"]>>>) =>
    outcome.issues ? text(`invalid arguments: ${explain(outcome.issues)}`, true) : tool.run(outcome.value, makeContext());
  const outcome = tool.input.validate!(args);
  return outcome instanceof Promise ? outcome.then(go) : go(outcome);
}

function describe(): object {
  const list = [...tools.values()];
  warm(list);
  return { tools: list.map((tool) => tool.definition) };
}

native.serve(dispatch, turn, describe);
