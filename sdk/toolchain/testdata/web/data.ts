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

const hex = (bytes: ArrayBuffer): string => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
const utf8 = (text: string) => new TextEncoder().encode(text);

/** The messages and digests of FIPS 180-4's examples, and of RFC 2202 and 4231. */
export async function digests(c: Check): Promise<void> {
  const two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  const four = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
  for (const [name, text, want] of [
    ["SHA-1", "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"],
    ["SHA-1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"],
    ["SHA-1", two, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"],
    ["SHA-256", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["SHA-256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    ["SHA-256", two, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"],
    ["SHA-384", "abc", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"],
    ["SHA-384", four, "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712fcc7c71a557e2db966c3e9fa91746039"],
    ["SHA-512", "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"],
    ["SHA-512", four, "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"],
  ] as const) c.is(`${name} of ${text.length} characters`, hex(await crypto.subtle.digest(name, utf8(text))), want);
  // Lengths around the ends of blocks, against their own pieces' sum: a digest of digests.
  let all = "";
  for (const n of [55, 56, 63, 64, 65, 111, 112, 127, 128, 129]) for (const name of ["SHA-256", "SHA-512"] as const) all += hex(await crypto.subtle.digest({ name }, new Uint8Array(n).fill(n)));
  c.is("around blocks", hex(await crypto.subtle.digest("SHA-1", utf8(all))), "5bb81bf9409370b4dd60d4e8da05972c80d48e82");
  const key = await crypto.subtle.importKey("raw", utf8("Jefe"), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
  const data = utf8("what do ya want for nothing?");
  const signature = await crypto.subtle.sign("HMAC", key, data);
  c.is("HMAC", hex(signature), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  c.is("verified", [await crypto.subtle.verify("HMAC", key, signature, data), await crypto.subtle.verify("HMAC", key, signature.slice(1), data), await crypto.subtle.verify("HMAC", key, signature, utf8("no"))], [true, false, false]);
  const long = await crypto.subtle.importKey("raw", new Uint8Array(131).fill(0xaa), { name: "HMAC", hash: { name: "SHA-512" } }, false, ["sign"]);
  c.is("a long key", hex(await crypto.subtle.sign({ name: "HMAC" }, long, utf8("Test Using Larger Than Block-Size Key - Hash Key First"))),
    "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598");
  await c.rejects("another digest", crypto.subtle.digest("MD5" as "SHA-1", data), "NotSupportedError");
  await c.rejects("a key for another use", crypto.subtle.verify("HMAC", long, signature, data), "InvalidAccessError");
  await c.rejects("an empty key", crypto.subtle.importKey("raw", new Uint8Array(0), { name: "HMAC", hash: "SHA-1" }, false, ["sign"]), "SyntaxError");
}

export async function blob(c: Check): Promise<void> {
  const b = new Blob(["aä", new Uint8Array([1, 2]), new Blob(["z"])], { type: "Text/Plain" });
  c.is("a blob", [b.size, b.type, [...(await b.bytes())]], [6, "text/plain", [97, 195, 164, 1, 2, 122]]);
  c.is("a slice", [await b.slice(0, 3).text(), b.slice(-1).size, (await b.slice(1, 3, "x/y").arrayBuffer()).byteLength], ["aä", 1, 2]);
  const response = new Response(new Blob(["{}"], { type: "application/json" }));
  c.is("a body", [response.headers.get("content-type"), await response.json()], ["application/json", {}]);
}
