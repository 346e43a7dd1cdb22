// fetch: HTTP exchanges with the sites that servlet.toml requests. Several at once overlap.
import { http } from "./capabilities";
import { textOf } from "./encoding";
import { failure, HostError, Kind, live, native, part } from "./host";
import { Headers, Request, Response, type RequestInit } from "./http";
import { forget, settled } from "./loop";
import { URL } from "./url";

/** Header fields that a program may not set; a browser drops them as well. */
const own = /^(accept-charset|accept-encoding|access-control-.*|connection|content-length|cookie2?|expect|host|keep-alive|origin|proxy-.*|referer|sec-.*|set-cookie|te|trailer|transfer-encoding|upgrade|via)$/;

interface Target { kind: number; head: Record<string, unknown> }

const covers = (paths: string[], path: string) => paths.some((p) => path === p || p.endsWith("/") && path.startsWith(p));

/** target finds the capability that a request belongs to. */
function target(request: Request): Target {
  const { url, method, capability } = request;
  const known = http.map((c) => c.id).join(", ") || "none";
  if (url.startsWith("/")) {
    if (!capability) throw new HostError("invalid", `fetch ${url}: name the site of a path with the option "capability" (${known})`);
    const [path, query] = split(url);
    return { kind: Kind.http, head: { capability, path, query } };
  }
  const u = new URL(url);
  const sites = http.filter((c) => (capability ? c.id === capability : c.origin === u.origin));
  const site = sites.find((c) => c.methods.includes(method) && covers(c.paths, u.pathname)) ?? sites[0];
  if (site) return { kind: Kind.http, head: { capability: site.id, path: u.pathname, query: u.search.slice(1) } };
  if (native.kinds() & Kind.web) return { kind: Kind.web, head: { url: u.href.replace(/#.*$/s, "") } };
  throw new HostError("denied", `fetch ${u.origin}: servlet.toml requests no http capability for this site (it has: ${known})`);
}

function split(url: string): [path: string, query: string] {
  const u = new URL(url, "https://path.invalid");
  return [u.pathname, u.search.slice(1)];
}

export async function fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  live("fetch");
  const request = new Request(input, init);
  const what = `fetch ${request.url}`;
  request.signal.throwIfAborted();
  const { kind, head } = target(request);
  if (!head["query"]) delete head["query"];
  const headers = [...request.headers].filter(([name]) => !own.test(name));
  const op = native.start(kind, JSON.stringify({ ...head, method: request.method, headers }), Request.content(request));
  if (op <= 0) throw failure(op, what);
  await finished(op, request);
  try {
    const status = native.status(op);
    if (status < 0) throw failure(status, what, textOf(part(op, 2)));
    const answer = JSON.parse(textOf(part(op, 0))) as { url?: string; status: number; headers: [string, string][] };
    return Response.from(part(op, 1), { status: answer.status, headers: new Headers(answer.headers) }, answer.url ?? request.url);
  } finally {
    forget(op);
  }
}

/** finished waits for an operation, or gives it up when the request is aborted. */
function finished(op: number, { signal }: Request): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = () => {
      forget(op);
      reject(signal.reason);
    };
    signal.addEventListener("abort", aborted, { once: true });
    void settled(op).then(() => {
      signal.removeEventListener("abort", aborted);
      resolve();
    });
  });
}
