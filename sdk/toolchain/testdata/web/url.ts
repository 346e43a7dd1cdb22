import type { Check } from "./check";
import vectors from "./urls.json";

export function url(c: Check): void {
  for (const [input, base, href] of vectors as [string, string | null, string | null][]) {
    c.is(`${JSON.stringify(input)} at ${base}`, URL.parse(input, base ?? undefined)?.href ?? null, href);
  }
  const u = new URL("https://user:pa%20ss@example.com:8080/a/b?x=1&y=2#frag");
  c.is("parts", [u.protocol, u.username, u.password, u.host, u.hostname, u.port, u.pathname, u.search, u.hash, u.origin],
    ["https:", "user", "pa%20ss", "example.com:8080", "example.com", "8080", "/a/b", "?x=1&y=2", "#frag", "https://example.com:8080"]);
  u.searchParams.append("z", "ä b");
  c.is("search follows its parameters", u.search, "?x=1&y=2&z=%C3%A4+b");
  u.search = "?q=7";
  c.is("parameters follow the search", [...u.searchParams], [["q", "7"]]);
  u.pathname = "/x y/../z";
  u.port = "443";
  u.hash = "";
  u.host = "other.test:99/ignored";
  u.protocol = "http";
  c.is("after setting parts", u.href, "http://user:pa%20ss@other.test:99/z?q=7");
  u.hostname = "bad host";
  c.is("a bad host changes nothing", u.hostname, "other.test");
  c.is("JSON", JSON.stringify({ u }), JSON.stringify({ u: u.href }));
  c.throws("no base", () => new URL("/a"), "is not a URL");
  c.is("canParse", [URL.canParse("a:b"), URL.canParse("a b")], [true, false]);
}

export function search(c: Check): void {
  const p = new URLSearchParams("?a=1&b=2&a=3&c&=x&d=%zz+%41");
  c.is("pairs", [...p], [["a", "1"], ["b", "2"], ["a", "3"], ["c", ""], ["", "x"], ["d", "%zz A"]]);
  c.is("get", [p.get("a"), p.getAll("a"), p.get("nope"), p.has("a", "3"), p.has("a", "4"), p.size], ["1", ["1", "3"], null, true, false, 6]);
  p.set("a", "9");
  p.delete("b");
  p.sort();
  c.is("after changes", p.toString(), "=x&a=9&c=&d=%25zz+A");
  c.is("from an object", new URLSearchParams({ "ü": "~*-._ &" }).toString(), "%C3%BC=%7E*-._+%26");
  c.is("from pairs", new URLSearchParams([["a", "b"], ["c", "d"]]).toString(), "a=b&c=d");
  c.is("from itself", new URLSearchParams(p).toString(), p.toString());
  c.throws("half a pair", () => new URLSearchParams([["a"]] as never), "pair");
}
