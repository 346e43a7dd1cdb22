// Headers, Request and Response (fetch.spec.whatwg.org). Bodies are whole: there are no streams.
import { contents } from "./body";
import { bytesOf, textOf } from "./encoding";
import { AbortSignal } from "./events";
import type { Blob } from "./blob";
import type { URL } from "./url";
import { URLSearchParams } from "./url_search";

type HeadersInit = Headers | Iterable<readonly [string, string]> | Record<string, string>;

export class Headers {
  #fields = new Map<string, string[]>();

  constructor(init?: HeadersInit | null) {
    if (!init) return;
    for (const [name, value] of Symbol.iterator in init ? (init as Iterable<readonly [string, string]>) : Object.entries(init)) this.append(name, value);
  }

  #name(name: string): string {
    const text = String(name);
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text)) throw new TypeError(`"${text}" cannot be the name of a header`);
    return text.toLowerCase();
  }
  #value(value: string): string {
    const text = String(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
    if (/[\0\n\r]/.test(text)) throw new TypeError("a header's value cannot have line ends");
    return text;
  }
  append(name: string, value: string): void {
    const key = this.#name(name), list = this.#fields.get(key);
    if (list) list.push(this.#value(value));
    else this.#fields.set(key, [this.#value(value)]);
  }
  set(name: string, value: string): void { this.#fields.set(this.#name(name), [this.#value(value)]); }
  get(name: string): string | null { return this.#fields.get(this.#name(name))?.join(", ") ?? null; }
  has(name: string): boolean { return this.#fields.has(this.#name(name)); }
  delete(name: string): void { this.#fields.delete(this.#name(name)); }
  getSetCookie(): string[] { return [...(this.#fields.get("set-cookie") ?? [])]; }
  forEach(run: (value: string, name: string, headers: Headers) => void): void { for (const [n, v] of this) run(v, n, this); }
  *entries(): IterableIterator<[string, string]> {
    for (const name of [...this.#fields.keys()].sort()) yield [name, this.#fields.get(name)!.join(", ")];
  }
  *keys(): IterableIterator<string> { for (const [n] of this) yield n; }
  *values(): IterableIterator<string> { for (const [, v] of this) yield v; }
  [Symbol.iterator](): IterableIterator<[string, string]> { return this.entries(); }
}

export type BodyInit = string | ArrayBuffer | ArrayBufferView | URLSearchParams | Blob | null | undefined;

/** bodyOf reads what may be a body, and the type that it has when no header names another. */
function bodyOf(body: unknown): { bytes: Uint8Array; type: string | null } | null {
  if (body === null || body === undefined) return null;
  if (body instanceof ArrayBuffer) return { bytes: new Uint8Array(body.slice(0)), type: null };
  if (ArrayBuffer.isView(body)) return { bytes: new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice(), type: null };
  if (body instanceof URLSearchParams) return { bytes: bytesOf(String(body)), type: "application/x-www-form-urlencoded;charset=UTF-8" };
  return contents.get(body) ?? { bytes: bytesOf(String(body)), type: "text/plain;charset=UTF-8" };
}

/** What Request and Response share. */
class Body {
  bodyUsed = false;
  readonly body = null; // there are no streams; bytes() has all of it
  protected bytesIn: Uint8Array | null;
  readonly headers: Headers;

  constructor(body: unknown, headers: HeadersInit | null | undefined) {
    const read = bodyOf(body);
    this.headers = new Headers(headers);
    this.bytesIn = read?.bytes ?? null;
    if (read?.type && !this.headers.has("content-type")) this.headers.set("content-type", read.type);
  }
  protected take(): Uint8Array {
    if (this.bodyUsed) throw new TypeError("the body was already read");
    this.bodyUsed = this.bytesIn !== null;
    return this.bytesIn ?? new Uint8Array(0);
  }
  async bytes(): Promise<Uint8Array> { return this.take().slice(); }
  async arrayBuffer(): Promise<ArrayBuffer> { return this.take().slice().buffer as ArrayBuffer; }
  async text(): Promise<string> { return textOf(this.take()); }
  async json(): Promise<any> { return JSON.parse(textOf(this.take())); }
}

export interface RequestInit {
  method?: string; headers?: HeadersInit; body?: BodyInit; signal?: AbortSignal | null;
  /** The id of an http capability of servlet.toml, for a path instead of a URL or to choose between two. */
  capability?: string;
}

export class Request extends Body {
  readonly url: string;
  readonly method: string;
  readonly signal: AbortSignal;
  readonly capability: string | undefined;

  constructor(input: string | URL | Request, init: RequestInit = {}) {
    const from = input instanceof Request ? input : null;
    super(init.body !== undefined ? init.body : from?.bytesIn, init.headers ?? from?.headers);
    const method = String(init.method ?? from?.method ?? "GET");
    this.method = /^(get|head|post|put|delete|options)$/i.test(method) ? method.toUpperCase() : method;
    if (this.bytesIn && /^(GET|HEAD)$/.test(this.method)) throw new TypeError(`a ${this.method} request has no body`);
    this.url = from?.url ?? String(input);
    this.signal = init.signal ?? from?.signal ?? new AbortSignal();
    this.capability = init.capability ?? from?.capability;
  }
  clone(): Request { return new Request(this); }
  /** content is the body, as fetch sends it. */
  static content(request: Request): Uint8Array | undefined { return request.bytesIn ? request.take() : undefined; }
}

export interface ResponseInit { status?: number; statusText?: string; headers?: HeadersInit }

export class Response extends Body {
  readonly status: number;
  readonly statusText: string;
  readonly type = "basic";
  readonly redirected = false;
  readonly url: string = "";

  constructor(body?: BodyInit, init: ResponseInit = {}) {
    super(body, init.headers);
    this.status = init.status ?? 200;
    this.statusText = init.statusText ?? "";
    if (!Number.isInteger(this.status) || this.status < 200 || this.status > 599) throw new RangeError(`${this.status} is not the status of a response`);
  }
  get ok(): boolean { return this.status >= 200 && this.status < 300; }
  clone(): Response {
    if (this.bodyUsed) throw new TypeError("the body was already read");
    return Response.from(this.bytesIn, this, this.url);
  }
  /** from makes the response to a request for url. */
  static from(body: Uint8Array | null, init: ResponseInit, url: string): Response {
    return Object.assign(new Response(body, init), { url });
  }
  static json(value: unknown, init: ResponseInit = {}): Response {
    const headers = new Headers(init.headers);
    if (!headers.has("content-type")) headers.set("content-type", "application/json");
    return new Response(JSON.stringify(value), { ...init, headers });
  }
}
