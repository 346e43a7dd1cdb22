// What a program wrote and what came out of it, as a result of bounded size.
import type { ToolResult } from "writ-servlet";
import { inspect } from "writ-servlet/eval";

/** most characters of what is written. With what is left for the value they fit into result_kb even when every one is escaped. */
const most = 100_000;

/** least characters that are left for the value, or for what was thrown. */
const least = 5_000;

/** How deep objects are shown. */
const depth = 10;

export class Output {
  #lines: string[] = [];
  #room = most;
  #cut = 0;

  /** line takes what was written to the console; what is too much is counted. */
  line(text: string): void {
    if (this.#room === 0) {
      this.#cut += text.length + 1; // with its end, so that an empty line counts
      return;
    }
    const kept = text.slice(0, this.#room);
    this.#cut += text.length - kept.length;
    this.#lines.push(kept);
    this.#room = Math.max(0, this.#room - kept.length - 1);
  }

  /** result is the answer of a program that ended. */
  result(value: unknown): ToolResult {
    const console = this.#console();
    return { content: value === undefined && console.length ? console : [...console, this.#rest(show(value))] };
  }

  /** failure is the answer of one that threw. */
  failure(text: string): ToolResult {
    return { content: [...this.#console(), this.#rest(text)], isError: true };
  }

  #rest(text: string) {
    return block(cut(text, Math.max(this.#room, least)));
  }

  #console() {
    const more = this.#cut ? [`[${this.#cut} characters more were left out]`] : [];
    return this.#lines.length ? [block([...this.#lines, ...more].join("\n"))] : [];
  }
}

const block = (text: string) => ({ type: "text" as const, text });

const cut = (text: string, room: number): string => (text.length > room ? `${text.slice(0, room)}\n[${text.length - room} characters more were left out]` : text);

/** show gives data as JSON, which a model can read on, and everything else as a console shows it. */
function show(value: unknown): string {
  const plain = Array.isArray(value) || (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype);
  if (!plain || !isData(value, depth)) return inspect(value, depth);
  const line = JSON.stringify(value);
  return line.length > 100 ? JSON.stringify(value, null, 2) : line;
}

/** isData tells whether JSON has all of a value. */
function isData(value: unknown, depth: number): boolean {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || depth === 0) return false;
  if (Array.isArray(value)) return value.every((v) => isData(v, depth - 1));
  return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every((v) => isData(v, depth - 1));
}
