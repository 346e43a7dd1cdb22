// What a program threw, in words and with its lines.
import { inspect } from "writ-servlet/eval";

const elsewhere = "This is neither Node.js nor a browser: there is the language, and what the tool's description names.";

/** Names that programs written for somewhere else ask for first. */
const foreign = new Set(["Buffer", "Bun", "Deno", "Intl", "XMLHttpRequest", "__dirname", "document", "exports", "localStorage", "module", "navigator", "process", "require", "window"]);

export function explain(error: unknown): string {
  // The engine throws null when there is no memory for an error.
  if (error === null) return "The program threw null, or was out of memory";
  if (!(error instanceof Error)) return `The program threw ${inspect(error, 4)}`;
  // The places in the program; those of the sandbox's own code say nothing to its author.
  const places = String(error.stack ?? "").split("\n").filter((line) => line.includes("<code>"));
  if ((error as { code?: unknown }).code === "denied") return [`${error.name}: this sandbox has no network`, ...places].join("\n");
  const cause = error.cause === undefined ? [] : [`caused by: ${inspect(error.cause, 2).split("\n", 1)[0]}`];
  const [, name] = /^(\w+) is not defined$/.exec(error.message) ?? [];
  const hint = name !== undefined && foreign.has(name) ? [elsewhere] : [];
  return [String(error), ...places, ...cause, ...hint].join("\n");
}
