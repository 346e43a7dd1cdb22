import type { Check } from "./check";

export function encoding(c: Check): void {
  const encoder = new TextEncoder();
  c.is("UTF-8", encoder.encode("aä€😀\ud800"), new Uint8Array([97, 195, 164, 226, 130, 172, 240, 159, 152, 128, 239, 191, 189]));
  const into = new Uint8Array(4);
  c.is("encodeInto", [encoder.encodeInto("aä€", into), [...into]], [{ read: 2, written: 3 }, [97, 195, 164, 0]]);
  const decode = (bytes: number[], label = "utf-8", options = {}) => new TextDecoder(label, options).decode(new Uint8Array(bytes));
  c.is("decoded", decode([0xef, 0xbb, 0xbf, 97, 195, 164, 255]), "aä\ufffd");
  c.is("with its mark", decode([0xef, 0xbb, 0xbf, 97], "utf8", { ignoreBOM: true }), "\ufeffa");
  c.is("UTF-16", decode([0xff, 0xfe, 0x61, 0, 0x3d, 0xd8, 0, 0xde], "utf-16le"), "a😀");
  c.is("latin1", decode([0x80, 0xe4, 0x99], "iso-8859-1"), "€ä™");
  c.throws("fatal", () => decode([97, 255], "utf-8", { fatal: true }), "TypeError");
  c.is("a replacement character is no fault", decode([239, 191, 189], "utf-8", { fatal: true }), "\ufffd");
  c.throws("unknown", () => new TextDecoder("klingon"), "RangeError");
  const stream = new TextDecoder();
  c.is("in pieces", [[0xe2], [0x82, 0xac, 0xf0, 0x9f], [0x98, 0x80], []].map((b, i) => stream.decode(new Uint8Array(b), { stream: i < 3 })), ["", "€", "😀", ""]);
  c.is("base64", [btoa("\0\xff~"), atob("AP9+")], ["AP9+", "\0\xff~"]);
  const view = new Uint8Array([1, 97, 98, 2]).subarray(1, 3);
  c.is("a view", new TextDecoder().decode(view), "ab");
}

export function clone(c: Check): void {
  const shared = { n: 1 };
  const buffer = new Uint8Array([1, 2, 3, 4]);
  const from: any = {
    shared, again: shared, list: [1, , 3], map: new Map([["k", shared]]), set: new Set([1]), date: new Date(5), regexp: /a/gi,
    error: new RangeError("far", { cause: shared }), bytes: buffer.subarray(1, 3), big: 10n, boxed: Object("x"), undefined,
  };
  from.self = from;
  const to: any = structuredClone(from);
  c.is("identity", [to !== from, to.self === to, to.shared === to.again, to.map.get("k") === to.shared, to.error.cause === to.shared], [true, true, true, true, true]);
  c.is("values", [1 in to.list, to.list.length, to.date.getTime(), String(to.regexp), to.error instanceof RangeError, to.error.message, [...to.bytes], to.bytes.byteOffset, to.big === 10n, "undefined" in to],
    [false, 3, 5, "/a/gi", true, "far", [2, 3], 1, true, true]);
  to.bytes[0] = 9;
  c.is("a copy", buffer[1], 2);
  c.throws("functions", () => structuredClone({ f: () => 1 }), "DataCloneError");
  c.throws("symbols", () => structuredClone(Symbol()), "DataCloneError");
  c.is("classes become plain", Object.getPrototypeOf(structuredClone(new (class { a = 1; })())) === Object.prototype, true);
}
