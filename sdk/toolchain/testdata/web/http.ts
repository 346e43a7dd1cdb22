import type { Check } from "./check";

export async function http(c: Check): Promise<void> {
  const h = new Headers([["B", "2"], ["a", " 1 "], ["b", "3"]]);
  h.append("Set-Cookie", "x=1");
  h.append("Set-Cookie", "y=2");
  c.is("headers", [...h], [["a", "1"], ["b", "2, 3"], ["set-cookie", "x=1, y=2"]]);
  c.is("cookies", h.getSetCookie(), ["x=1", "y=2"]);
  h.set("A", "9");
  h.delete("b");
  c.is("changed", [h.get("a"), h.get("B"), h.has("A"), new Headers(h).get("a")], ["9", null, true, "9"]);
  c.throws("a bad name", () => h.set("a b", "x"), "name of a header");
  c.throws("a bad value", () => h.set("a", "x\ny"), "line ends");

  const r = new Request("https://a.test/x", { method: "post", body: new URLSearchParams({ q: "1 2" }) });
  c.is("request", [r.method, r.headers.get("content-type"), await r.clone().text()], ["POST", "application/x-www-form-urlencoded;charset=UTF-8", "q=1+2"]);
  c.is("derived", new Request(r, { method: "PUT" }).method, "PUT");
  c.throws("GET with a body", () => new Request("https://a.test", { body: "x" }), "no body");

  const response = Response.json({ a: [1] }, { status: 201 });
  c.is("response", [response.status, response.ok, response.headers.get("content-type"), await response.clone().text(), await response.json()], [201, true, "application/json", '{"a":[1]}', { a: [1] }]);
  await c.rejects("read twice", response.text(), "already read");
  c.is("bytes", await new Response(new Uint8Array([1, 2])).bytes(), new Uint8Array([1, 2]));
  c.throws("a bad status", () => new Response("", { status: 99 }), "RangeError");
  await c.rejects("no site", self.fetch("https://a.test/"), "servlet.toml has no [[capabilities.http]]");
}
