// URL (url.spec.whatwg.org). The parser follows the states of the standard's basic URL parser.
import { bytesOf } from "./encoding";
import { parseHost } from "./host_address";
import { URLSearchParams } from "./url_search";

export interface Parts {
  scheme: string; username: string; password: string; host: string | null; port: number | null;
  path: string[]; opaque: string | null; query: string | null; fragment: string | null;
}

const ports: Record<string, number | null> = { http: 80, https: 443, ws: 80, wss: 443, ftp: 21, file: null };
const isSpecial = (u: Parts) => u.scheme in ports;

// What is percent-encoded where, besides controls and what is not ASCII.
const fragmentSet = " \"<>`";
const querySet = " \"#<>";
const pathSet = querySet + "?^`{}";
const userSet = pathSet + "/:;=@[\\]|";

function encode(text: string, set: string): string {
  let out = "";
  for (const c of text) {
    if (c > "\x1f" && c < "\x7f" && !set.includes(c)) out += c;
    else for (const byte of bytesOf(c)) out += "%" + byte.toString(16).toUpperCase().padStart(2, "0");
  }
  return out;
}

const encodeQuery = (text: string, u: Parts) => encode(text, isSpecial(u) ? querySet + "'" : querySet);
const driveLetter = (text: string) => /^[a-z][:|]$/i.test(text);
const startsWithDrive = (text: string) => /^[a-z][:|]([/\\?#]|$)/i.test(text);

function shorten(u: Parts): void {
  if (u.scheme === "file" && u.path.length === 1 && /^[a-z]:$/i.test(u.path[0]!)) return;
  u.path.pop();
}

/** addPath reads a path into u.path. */
function addPath(u: Parts, text: string): void {
  const parts = text.split(isSpecial(u) ? /[/\\]/ : "/");
  parts.forEach((part, i) => {
    const last = i === parts.length - 1;
    if (/^(\.|%2e){2}$/i.test(part)) {
      shorten(u);
      if (last) u.path.push("");
    } else if (/^(\.|%2e)$/i.test(part)) {
      if (last) u.path.push("");
    } else {
      if (u.scheme === "file" && !u.path.length && driveLetter(part)) part = part[0] + ":";
      u.path.push(encode(part, pathSet));
    }
  });
}

function setPort(u: Parts, text: string): boolean {
  if (!/^[0-9]*$/.test(text) || Number(text) > 65535) return false;
  u.port = text === "" || Number(text) === ports[u.scheme] ? null : Number(text);
  return true;
}

function setHost(u: Parts, text: string): boolean {
  if (text === "" && isSpecial(u) && u.scheme !== "file") return false;
  const host = text === "" ? "" : parseHost(text, !isSpecial(u), (t) => encode(t, ""));
  if (host === null) return false;
  u.host = u.scheme === "file" && host === "localhost" ? "" : host;
  return true;
}

/** splitPort splits "host:port"; colons in brackets belong to the host. */
function splitPort(text: string): [host: string, port: string | null] {
  const found = /^(\[[^\]]*\]?[^:]*|[^:[]*)(?::(.*))?$/s.exec(text);
  return found ? [found[1]!, found[2] ?? null] : [text, null];
}

function addAuthority(u: Parts, text: string): boolean {
  const at = text.lastIndexOf("@");
  if (at >= 0) {
    const [, user, password] = /^([^:]*):?(.*)$/s.exec(text.slice(0, at))!;
    u.username = encode(user!, userSet);
    u.password = encode(password!, userSet);
  }
  const [host, port] = splitPort(text.slice(at + 1));
  if (host === "" && (at >= 0 || port !== null)) return false;
  return setHost(u, host) && setPort(u, port ?? "");
}

/** afterScheme reads what follows "scheme:" up to the query. */
function afterScheme(u: Parts, rest: string, base: Parts | null): boolean {
  const slash = isSpecial(u) ? /^[/\\]{2}/ : /^\/\//;
  if (u.scheme === "file") return filePart(u, rest, base);
  if (isSpecial(u) && base?.scheme === u.scheme && !slash.test(rest)) return relative(u, rest, base);
  if (isSpecial(u)) rest = rest.replace(/^[/\\]*/, "//");
  if (slash.test(rest)) return authorityPart(u, rest.slice(2));
  if (rest.startsWith("/")) addPath(u, rest.slice(1));
  else u.opaque = encode(rest, "");
  return true;
}

function authorityPart(u: Parts, text: string): boolean {
  const end = text.search(isSpecial(u) ? /[/\\]/ : /\//);
  const [authority, path] = end < 0 ? [text, null] : [text.slice(0, end), text.slice(end + 1)];
  if (!addAuthority(u, authority)) return false;
  if (path !== null || isSpecial(u)) addPath(u, path ?? "");
  return true;
}

function filePart(u: Parts, rest: string, base: Parts | null): boolean {
  u.host = "";
  const from = base?.scheme === "file" ? base : null;
  if (/^[/\\]{2}/.test(rest)) {
    const text = rest.slice(2);
    const end = text.search(/[/\\]/);
    const host = end < 0 ? text : text.slice(0, end);
    if (driveLetter(host)) addPath(u, text);
    else {
      if (!setHost(u, host)) return false;
      addPath(u, end < 0 ? "" : text.slice(end + 1));
    }
    return true;
  }
  if (/^[/\\]/.test(rest)) {
    if (from) {
      u.host = from.host;
      if (!startsWithDrive(rest.slice(1)) && /^[a-z]:$/i.test(from.path[0] ?? "")) u.path.push(from.path[0]!);
    }
    addPath(u, rest.slice(1));
    return true;
  }
  if (!from) {
    addPath(u, rest);
    return true;
  }
  u.host = from.host;
  if (!startsWithDrive(rest)) {
    u.path = [...from.path];
    if (rest === "") return true;
    shorten(u);
  }
  addPath(u, rest);
  return true;
}

/** relative resolves against a base of the same scheme that has a path. */
function relative(u: Parts, rest: string, base: Parts): boolean {
  u.scheme = base.scheme;
  if (u.scheme === "file") return filePart(u, rest, base);
  const slash = isSpecial(u) ? /^[/\\]/ : /^\//;
  if (slash.test(rest) && slash.test(rest.slice(1))) return authorityPart(u, isSpecial(u) ? rest.replace(/^[/\\]*/, "") : rest.slice(2));
  ({ username: u.username, password: u.password, host: u.host, port: u.port } = base);
  if (slash.test(rest)) {
    addPath(u, rest.slice(1));
    return true;
  }
  u.path = [...base.path];
  if (rest === "") return true;
  shorten(u);
  addPath(u, rest);
  return true;
}

export function parse(text: string, base: Parts | null): Parts | null {
  text = text.replace(/^[\0-\x20]+|[\0-\x20]+$/g, "").replace(/[\t\n\r]/g, "");
  const u: Parts = { scheme: "", username: "", password: "", host: null, port: null, path: [], opaque: null, query: null, fragment: null };
  let [, rest, fragment] = /^([^#]*)(#.*)?$/s.exec(text)!;
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(rest!);
  if (scheme) rest = rest!.slice(scheme[0].length);
  const query = rest!.indexOf("?");
  const search = query < 0 ? null : rest!.slice(query + 1);
  if (query >= 0) rest = rest!.slice(0, query);
  if (scheme) {
    u.scheme = scheme[1]!.toLowerCase();
    if (!afterScheme(u, rest!, base)) return null;
    if (search === null && rest === "" && base?.scheme === u.scheme && isSpecial(u)) u.query = base.query;
  } else {
    if (!base || base.opaque !== null && (rest !== "" || search !== null || fragment === undefined)) return null;
    if (base.opaque !== null) Object.assign(u, base, { path: [] });
    else if (!relative(u, rest!, base)) return null;
    if (rest === "" && search === null) u.query = base.query;
  }
  if (search !== null) u.query = encodeQuery(search, u);
  u.fragment = fragment === undefined ? null : encode(fragment.slice(1), fragmentSet);
  return u;
}

export function serialize(u: Parts, withFragment = true): string {
  let out = u.scheme + ":";
  if (u.host !== null) {
    out += "//";
    if (u.username || u.password) out += u.username + (u.password ? ":" + u.password : "") + "@";
    out += u.host + (u.port === null ? "" : ":" + u.port);
  } else if (u.opaque === null && u.path.length > 1 && u.path[0] === "") {
    out += "/.";
  }
  return out + pathOf(u) + (u.query === null ? "" : "?" + u.query) + (u.fragment === null || !withFragment ? "" : "#" + u.fragment);
}

const pathOf = (u: Parts) => u.opaque ?? (u.path.length ? "/" + u.path.join("/") : "");

export class URL {
  #u: Parts;
  #search: URLSearchParams | undefined;

  constructor(url: string | URL, base?: string | URL) {
    const from = base === undefined ? null : parse(String(base), null);
    const parsed = base !== undefined && !from ? null : parse(String(url).toWellFormed(), from);
    if (!parsed) throw new TypeError(`"${String(url).slice(0, 200)}" is not a URL`);
    this.#u = parsed;
  }

  static canParse(url: string | URL, base?: string | URL): boolean { return URL.parse(url, base) !== null; }
  static parse(url: string | URL, base?: string | URL): URL | null {
    try { return new URL(url, base); } catch { return null; }
  }

  get href(): string { return serialize(this.#u); }
  set href(value: string) {
    this.#u = new URL(value).#u;
    this.#search?.replace(this.#u.query ?? "");
  }
  get origin(): string {
    const u = this.#u;
    if (u.scheme === "blob") return URL.parse(pathOf(u))?.origin ?? "null";
    return isSpecial(u) && u.scheme !== "file" ? `${u.scheme}://${this.host}` : "null";
  }
  get protocol(): string { return this.#u.scheme + ":"; }
  set protocol(value: string) {
    const scheme = /^([a-z][a-z0-9+.-]*)(:|$)/i.exec(value)?.[1]?.toLowerCase(), u = this.#u;
    if (!scheme || scheme in ports !== isSpecial(u) || scheme === "file" && (u.username || u.password || u.port !== null) || u.scheme === "file" && u.host === "") return;
    u.scheme = scheme;
    if (u.port === ports[scheme]) u.port = null;
  }
  get username(): string { return this.#u.username; }
  set username(value: string) { if (this.#u.host && this.#u.scheme !== "file") this.#u.username = encode(String(value), userSet); }
  get password(): string { return this.#u.password; }
  set password(value: string) { if (this.#u.host && this.#u.scheme !== "file") this.#u.password = encode(String(value), userSet); }
  get host(): string { return (this.#u.host ?? "") + (this.#u.port === null ? "" : ":" + this.#u.port); }
  set host(value: string) {
    if (this.#u.opaque !== null) return;
    const [host, port] = splitPort(String(value).replace(isSpecial(this.#u) ? /[/\\?#].*$/s : /[/?#].*$/s, ""));
    if (!setHost(this.#u, host)) return;
    const digits = /^[0-9]+/.exec(port ?? "")?.[0];
    if (digits && this.#u.scheme !== "file") setPort(this.#u, digits);
  }
  get hostname(): string { return this.#u.host ?? ""; }
  set hostname(value: string) {
    const text = String(value).replace(isSpecial(this.#u) ? /[/\\?#].*$/s : /[/?#].*$/s, "");
    if (this.#u.opaque === null && splitPort(text)[1] === null) setHost(this.#u, text);
  }
  get port(): string { return this.#u.port === null ? "" : String(this.#u.port); }
  set port(value: string) {
    const digits = /^[0-9]*/.exec(String(value))![0];
    if (this.#u.host && this.#u.scheme !== "file" && (digits !== "" || value === "")) setPort(this.#u, digits);
  }
  get pathname(): string { return pathOf(this.#u); }
  set pathname(value: string) {
    if (this.#u.opaque !== null) return;
    this.#u.path = [];
    addPath(this.#u, String(value).replace(isSpecial(this.#u) ? /^[/\\]/ : /^\//, ""));
  }
  get search(): string { return this.#u.query ? "?" + this.#u.query : ""; }
  set search(value: string) {
    const text = String(value).replace(/^\?/, "");
    this.#u.query = value === "" ? null : encodeQuery(text, this.#u);
    this.#search?.replace(text);
  }
  get searchParams(): URLSearchParams {
    return this.#search ??= URLSearchParams.of(this.#u.query ?? "", (text) => { this.#u.query = text === "" ? null : text; });
  }
  get hash(): string { return this.#u.fragment ? "#" + this.#u.fragment : ""; }
  set hash(value: string) { this.#u.fragment = value === "" ? null : encode(String(value).replace(/^#/, ""), fragmentSet); }

  toString(): string { return this.href; }
  toJSON(): string { return this.href; }
}
