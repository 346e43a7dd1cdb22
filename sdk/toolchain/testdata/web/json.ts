import type { Check } from "./check";

// With a function, the engine goes its long way; without, its short one. Both have to say the same.
const read = (text: string) => outcome(() => JSON.parse(text));
const readSlowly = (text: string) => outcome(() => JSON.parse(text, (_, v) => v));
const write = (value: unknown) => outcome(() => JSON.stringify(value));
const writeSlowly = (value: unknown) => outcome(() => JSON.stringify(value, (_, v) => v));

function outcome(run: () => unknown): unknown {
  try {
    return [run()];
  } catch (error) {
    return String(error);
  }
}

const texts = [
  "1", "-0", "0", "-1", "123456789", "1234567890", "4294967296", "1e3", "1.5E-7", "0.1", "1e400", "-1e-400", "01", "1.", ".5", "+1", "-", "1e", "--1", "NaN",
  '"a"', '""', '"\\u0041\\n\\"\\\\\\/\\b\\f\\r\\t"', '"ä€😀"', '"\\ud83d\\ude00"', '"\\ud800"', '"\ud800"', '"a\nb"', '"\\x41"', '"\\u12"', '"abc', "'a'", '"\\', '"\u007f\u2028"', '"ä\\n"',
  "true", "false", "null", "nul", "tru", "undefined", "", " ", "[]", "[ ]", "[1,2 , 3]", "[1,]", "[,]", "[1 2]", "[", "]", "{}", "{ }", '{"a":1}', '{"a":1,}', '{"a" 1}', "{a:1}", '{"a":1 "b":2}', "{",
  '{"a":1,"a":2}', '{"__proto__":{"x":1}}', '{"1":"x","0":"y","b":1,"a":2}', '{"ä":1,"\\u00e4":2}', '{"constructor":1,"toString":2}', '\t\r\n {"a" : [ true , { } ] }\n', "1 2", "[1]x", "\ufeff1", "\u00a01",
  '{"a":{"b":{"c":[[[[1]]]]}}}', "[".repeat(150) + "]".repeat(150), "[".repeat(220) + "]".repeat(220), '{"x":'.repeat(220) + "1" + "}".repeat(220), '"\u00e9"', '"\u0000"', '"\\u0000"', "9007199254740993", "-9007199254740993", "0e0", "-0.0",
];

const hole: unknown[] = [1, , 3];
const circular: any = { a: 1 };
circular.self = circular;
const sparse: any = [];
sparse[3] = 1;
const values: [string, unknown][] = [
  ["numbers", [0, -0, 1, -1, 0.1, 1e21, 1e-7, NaN, Infinity, 2 ** 31, -(2 ** 31), 123456789012]],
  ["strings", ['"\\/\b\f\n\r\t\u0000\u001f\u007f', "äÿ", "€", "😀", "\ud800", "\udc00x", "\ud800\ud800", "\u2028", "x".repeat(3000) + '"ä']],
  ["words", [true, false, null, undefined, Symbol("s"), () => 1]], ["undefined", undefined], ["a function", () => 1], ["a symbol", Symbol()],
  ["objects", { a: undefined, b: () => 1, c: Symbol(), d: 1, [Symbol("k")]: 1 }], ["numbers as names", { b: 1, 2: 2, 1: 1 }],
  ["a date", { at: new Date(0) }], ["toJSON", { toJSON: () => "x" }], ["toJSON of a class", new (class { toJSON(): string { return "y"; } })()],
  ["a class", new (class { a = 1; #b = 2; get c(): number { return this.#b; } })()], ["a getter", { get a() { return 1; } }], ["a proxy", new Proxy({ a: 1 }, {})],
  ["holes", hole], ["sparse", sparse], ["named", Object.assign([1, 2], { x: 1 })], ["typed", new Uint8Array([1, 2])], ["map", new Map([[1, 2]])], ["boxed", [Object(1), Object("s"), Object(true)]],
  ["bigint", { n: 1n }], ["circular", circular], ["no prototype", Object.assign(Object.create(null), { a: 1 })], ["inherited", Object.create({ a: 1 })], ["error", new Error("x")], ["regexp", /x/],
  ["nested", JSON.parse("[".repeat(150) + "]".repeat(150))], ["deeper", JSON.parse("[".repeat(220) + "]".repeat(220))], ["rope", "x".repeat(5000) + String(Math.PI).repeat(3000)], ["hidden", Object.defineProperty({ b: 1 }, "a", { value: 1, enumerable: false })],
  ["deleted", (() => { const o: any = { a: 1, b: 2, c: 3 }; delete o.b; return o; })()], ["arguments", (function (..._: unknown[]) { return arguments; })(1, 2)],
];

export function json(c: Check): void {
  for (const text of texts) c.is(`reading ${text.slice(0, 40)}`, read(text), readSlowly(text));
  for (const text of texts) c.is(`the type of ${text.slice(0, 40)}`, describe(read(text)), describe(readSlowly(text)));
  for (const [name, value] of values) c.is(`writing ${name}`, write(value), writeSlowly(value));
  c.is("indented", JSON.stringify({ a: [1] }, null, 1), '{\n "a": [\n  1\n ]\n}');
  c.is("chosen", JSON.stringify({ a: 1, b: 2 }, ["b"]), '{"b":2}');
  Object.defineProperty(Object.prototype, "toJSON", { value: () => "all", configurable: true });
  c.is("toJSON of all objects", JSON.stringify({ a: 1 }), '"all"');
  delete (Object.prototype as any).toJSON;
  const object = JSON.parse('{"__proto__":{"x":1}}');
  c.is("__proto__ is a name", [Object.keys(object), object.x], [["__proto__"], undefined]);
  c.is("lengths", [JSON.parse.length, JSON.stringify.length, JSON.parse.name], [2, 3, "parse"]);
  c.is("text of others", JSON.parse({ toString: () => "[1]" } as never), [1]);
}

const describe = (v: any): string => (Array.isArray(v) ? `[${v.map(describe)}]` : typeof v === "object" && v ? `{${Object.keys(v).map((k) => `${k}:${describe(v[k])}`)}}` : Object.is(v, -0) ? "-0" : `${typeof v} ${String(v).length}`);
