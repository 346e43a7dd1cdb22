// URLSearchParams (url.spec.whatwg.org): the fields of application/x-www-form-urlencoded.
import { bytesOf, textOf } from "./encoding";
import { percentDecode } from "./host_address";

type Pair = [name: string, value: string];
type Init = string | URLSearchParams | Iterable<readonly [string, string]> | Record<string, string>;

const read = (text: string): Pair[] => text.split("&").filter(Boolean).map((field) => {
  const [, name, value] = /^([^=]*)=?(.*)$/s.exec(field.replaceAll("+", " "))!;
  return [textOfField(name!), textOfField(value!)];
});
const textOfField = (text: string) => (text.includes("%") ? textOf(percentDecode(text)) : text);

function write(text: string): string {
  let out = "";
  for (const byte of bytesOf(text)) {
    const c = String.fromCharCode(byte);
    out += /[A-Za-z0-9*\-._]/.test(c) ? c : byte === 0x20 ? "+" : "%" + byte.toString(16).toUpperCase().padStart(2, "0");
  }
  return out;
}

export class URLSearchParams {
  #pairs: Pair[] = [];
  #changed: ((text: string) => void) | undefined;

  constructor(init: Init = "") {
    if (typeof init === "string") this.#pairs = read(init.replace(/^\?/, ""));
    else if (Symbol.iterator in init) {
      for (const pair of init as Iterable<Iterable<unknown>>) {
        const [name, value, ...more] = [...pair];
        if (value === undefined || more.length) throw new TypeError("a field is a pair of name and value");
        this.#pairs.push([String(name).toWellFormed(), String(value).toWellFormed()]);
      }
    } else {
      for (const [name, value] of Object.entries(init)) this.#pairs.push([name.toWellFormed(), String(value).toWellFormed()]);
    }
  }

  /** of makes the fields of a URL, which is told when they change. */
  static of(query: string, changed: (text: string) => void): URLSearchParams {
    const params = new URLSearchParams();
    params.#pairs = read(query);
    params.#changed = changed;
    return params;
  }
  /** replace takes over the query of a URL that was set. */
  replace(query: string): void { this.#pairs = read(query); }

  #tell(): void { this.#changed?.(this.toString()); }

  get size(): number { return this.#pairs.length; }
  append(name: string, value: string): void { this.#pairs.push([String(name), String(value)]); this.#tell(); }
  delete(name: string, value?: string): void {
    this.#pairs = this.#pairs.filter(([n, v]) => n !== String(name) || value !== undefined && v !== String(value));
    this.#tell();
  }
  get(name: string): string | null { return this.#pairs.find(([n]) => n === String(name))?.[1] ?? null; }
  getAll(name: string): string[] { return this.#pairs.filter(([n]) => n === String(name)).map(([, v]) => v); }
  has(name: string, value?: string): boolean { return this.#pairs.some(([n, v]) => n === String(name) && (value === undefined || v === String(value))); }
  set(name: string, value: string): void {
    const at = this.#pairs.findIndex(([n]) => n === String(name));
    if (at < 0) return this.append(name, value);
    this.#pairs = this.#pairs.filter(([n], i) => i <= at || n !== String(name));
    this.#pairs[at]![1] = String(value);
    this.#tell();
  }
  sort(): void { this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)); this.#tell(); }
  forEach(run: (value: string, name: string, params: URLSearchParams) => void): void { for (const [n, v] of this.#pairs) run(v, n, this); }
  *entries(): IterableIterator<Pair> { for (const [n, v] of this.#pairs) yield [n, v]; }
  *keys(): IterableIterator<string> { for (const [n] of this.#pairs) yield n; }
  *values(): IterableIterator<string> { for (const [, v] of this.#pairs) yield v; }
  [Symbol.iterator](): IterableIterator<Pair> { return this.entries(); }
  toString(): string { return this.#pairs.map(([n, v]) => `${write(n)}=${write(v)}`).join("&"); }
}
