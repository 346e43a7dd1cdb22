// kv: what a servlet keeps between calls. All functions return at once; what they change is kept when the
// call has succeeded, all of it or nothing.
import { bytesOf, textOf, utf8 } from "./encoding";
import { failure, Kind, native, needs, notFound, part } from "./host";

interface Head { op: "get" | "set" | "delete" | "list"; key?: string; prefix?: string; cursor?: string; values?: boolean }
interface Page { keys: string[]; sizes?: number[]; cursor?: string }

/** run carries one operation out and reads its answer; undefined: there is no such key. */
function run<T>(head: Head, answer: (op: number) => T, body?: Uint8Array): T | undefined {
  const what = `kv ${head.op} ${head.key ?? head.prefix}`;
  needs("kv", Kind.kv, "[capabilities.kv]");
  const op = native.start(Kind.kv, JSON.stringify(head), body);
  if (op <= 0) throw failure(op, what);
  try {
    native.wait(Int32Array.of(op), -1);
    const status = native.status(op);
    if (status === notFound) return undefined;
    if (status < 0) throw failure(status, what, textOf(part(op, 2)));
    return answer(op);
  } finally {
    native.close(op);
  }
}

/** pages lists the keys that start with a prefix, page by page. */
function* pages(prefix: string, values: boolean): Generator<[Page, Uint8Array]> {
  for (let cursor: string | undefined = ""; cursor !== undefined;) {
    const [page, body]: [Page, Uint8Array] = run({ op: "list", prefix: String(prefix), cursor, values }, (op) => [JSON.parse(textOf(part(op, 0))) as Page, part(op, 1)])!;
    yield [page, body];
    cursor = page.cursor;
  }
}

const getBytes = (key: string): Uint8Array<ArrayBuffer> | undefined => run({ op: "get", key: String(key) }, (op) => part(op, 1));

export const kv = {
  getBytes,
  get(key: string): string | undefined {
    const value = getBytes(key);
    return value && utf8(value);
  },
  set(key: string, value: string | ArrayBuffer | ArrayBufferView): void {
    const bytes = typeof value === "string" ? bytesOf(value) : ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new Uint8Array(value);
    run({ op: "set", key: String(key) }, () => {}, bytes);
  },
  delete(key: string): void { run({ op: "delete", key: String(key) }, () => {}); },
  keys(prefix = ""): string[] {
    const all: string[] = [];
    for (const [page] of pages(prefix, false)) all.push(...page.keys);
    return all;
  },
  entries(prefix = ""): [key: string, value: string][] {
    const all: [string, string][] = [];
    for (const [page, body] of pages(prefix, true)) {
      let at = 0;
      for (const [i, key] of page.keys.entries()) all.push([key, utf8(body.subarray(at, at += page.sizes![i]!))]);
    }
    return all;
  },
};
