import type { Check } from "./check";

export function language(c: Check): void {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  c.is("random bytes", bytes.some((b) => b !== 0), true);
  c.is("uuid", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()), true);
  c.throws("too many random bytes", () => crypto.getRandomValues(new Uint8Array(65537)), "QuotaExceededError");
  const draws = Array.from({ length: 100 }, () => Math.random());
  c.is("Math.random", [new Set(draws).size, draws.every((d) => d >= 0 && d < 1)], [100, true]);
  c.is("the time is now", Date.now() > 1_767_225_600_000 + 1000, true);
  c.is("zone", new Date(0).getTimezoneOffset(), 0);
  const recurse = (n: number): number => (n === 0 ? 0 : 1 + recurse(n - 1));
  c.is("deep recursion", recurse(400), 400);
  c.is("new features", [[3, 1].toSorted(), new Set([1, 2]).union(new Set([3])).size, Object.groupBy([1, 2], (n) => (n % 2 ? "odd" : "even")), "a".at(-1), structuredClone(1n) === 1n], [[1, 3], 3, { odd: [1], even: [2] }, "a", true]);
  c.is("code at run time", new Function("a", "return a + 1")(1), 2);
  c.is("globals", ["self", "globalThis"].map((n) => (globalThis as any)[n] === globalThis), [true, true]);
  c.is("hidden", "__writ" in globalThis, false);
  let memory = "";
  try { memory = "x".repeat(2 ** 29 - 1) + "y"; [...memory]; } catch (error) { memory = String(error); }
  c.is("memory is an error to catch", memory.includes("memory") || memory.includes("length"), true);
}
