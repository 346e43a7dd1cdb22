// console: what it is given becomes lines in the operator's log. The model never sees them, unless a
// servlet takes them (capture).
import { native } from "./host";

/** inspect shows a value as a person would want to read it, to a bounded depth. */
export function inspect(value: unknown, depth = 3, above: unknown[] = []): string {
  if (typeof value === "string") return above.length ? JSON.stringify(value) : value;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `[function ${value.name || "without a name"}]`;
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? "-0" : String(value);
  if (value instanceof Error) return value.stack ? `${value}\n${value.stack.trimEnd()}` : String(value);
  if (value instanceof Date) return Number.isNaN(+value) ? "Invalid Date" : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (above.includes(value)) return "[circular]";
  if (above.length >= depth) return Array.isArray(value) ? `[${value.length} items]` : "{...}";
  const inner = (v: unknown) => inspect(v, depth, [...above, value]);
  if (Array.isArray(value)) return `[${value.map(inner).join(", ")}]`;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `${value.constructor.name}(${value.byteLength} bytes)`;
  const name = value.constructor?.name;
  const shown = !name || name === "Object" ? "" : `${name} `;
  if (value instanceof Map) return `Map {${[...value].map(([k, v]) => `${inner(k)} => ${inner(v)}`).join(", ")}}`;
  if (value instanceof Set) return `Set {${[...value].map(inner).join(", ")}}`;
  return `${shown}{${Object.entries(value).map(([k, v]) => `${k}: ${inner(v)}`).join(", ")}}`;
}

/** format makes one text of values, as console.log does: %s, %d, %i, %f, %j, %o, %O and %c in the first. */
export function format(...args: unknown[]): string {
  const [first, ...rest] = args;
  if (typeof first !== "string" || !rest.length || !first.includes("%")) return args.map((v) => inspect(v)).join(" ");
  const text = first.replace(/%([sdifoOjc%])/g, (verb, letter: string) => {
    if (letter === "%") return "%";
    if (!rest.length) return verb;
    const value = rest.shift();
    switch (letter) {
      case "d": case "i": return String(letter === "i" ? Math.trunc(Number(value)) : Number(value));
      case "f": return String(Number(value));
      case "j": return JSON.stringify(value);
      case "c": return "";
      default: return inspect(value);
    }
  });
  return [text, ...rest.map((v) => inspect(v))].join(" ");
}

let indent = "";
const started = new Map<string, number>();
const counts = new Map<string, number>();
let put = (level: number, text: string): void => native.log(level, text);
const write = (level: number) => (...args: unknown[]): void => put(level, indent ? format(...args).replace(/^/gm, indent) : format(...args));
const [debug, info, warn, error] = [write(0), write(1), write(2), write(3)] as const;

function elapsed(label = "default", ...rest: unknown[]): void {
  const at = started.get(label);
  if (at !== undefined) info(`${label}: ${performance.now() - at} ms`, ...rest);
}

export const console = {
  debug, log: info, info, warn, error, dir: (value: unknown) => info(value), table: info,
  trace: (...args: unknown[]) => debug(...args, `\n${new Error().stack ?? ""}`),
  assert: (condition: unknown, ...args: unknown[]) => { if (!condition) error("assertion failed:", ...args); },
  count: (label = "default") => { counts.set(label, (counts.get(label) ?? 0) + 1); info(`${label}: ${counts.get(label)}`); },
  countReset: (label = "default") => { counts.delete(label); },
  time: (label = "default") => { started.set(label, performance.now()); },
  timeLog: elapsed,
  timeEnd: (label = "default") => { elapsed(label); started.delete(label); },
  group: (...args: unknown[]) => { if (args.length) info(...args); indent += "  "; },
  groupCollapsed: (...args: unknown[]) => console.group(...args),
  groupEnd: () => { indent = indent.slice(2); },
};

/** capture gives what is written to the console from now on to a function: 0 debug, 1 info, 2 warn, 3 error. */
export function capture(to: (level: number, text: string) => void): void { put = to; }
