import type { Check } from "./check";

// Calls of functions by each other, which the engine nests in a way of its own.
export async function calls(c: Check): Promise<void> {
  const depth = (n: number): number => (n === 0 ? 0 : 1 + depth(n - 1));
  c.is("deep", [depth(100), depth(10_000)], [100, 10_000]);
  const even = (n: number): boolean => (n === 0 ? true : odd(n - 1)), odd = (n: number): boolean => (n === 0 ? false : even(n - 1));
  c.is("calls at the end", even(10_000), true);
  class Tree {
    constructor(readonly left: Tree | null, readonly value: number) {}
    sum(): number { return this.value + (this.left ? this.left.sum() : 0); }
  }
  let tree: Tree | null = null;
  for (let i = 0; i < 5_000; i++) tree = new Tree(tree, 1);
  c.is("methods", tree!.sum(), 5_000);

  const endless = (n: number): number => endless(n + 1) + 1;
  for (let i = 0; i < 3; i++) c.throws("without an end", () => endless(0), "RangeError: Maximum call stack size exceeded");
  c.is("after it", depth(10_000), 10_000);
  const callbacks = (n: number): number => (n === 0 ? 0 : [n].map((v) => callbacks(v - 1))[0]! + 1);
  c.is("through callbacks", callbacks(100), 100);
  c.throws("callbacks without an end", () => { const f = (): unknown => [1].map(f); f(); }, "RangeError");

  const received = function (this: unknown, a: unknown, b = 2, ...rest: unknown[]) { return [this === undefined || this === globalThis, a, b, rest, arguments.length]; };
  c.is("fewer arguments", received(undefined), [true, null, 2, [], 1]);
  c.is("more arguments", received(1, 3, 4, 5), [true, 1, 3, [4, 5], 4]);
  c.is("none", (received as () => unknown)(), [true, null, 2, [], 0]);
  const many = Array.from({ length: 300 }, (_, i) => i);
  c.is("spread", (received as (...v: unknown[]) => unknown[])(...many)[4], 300);
  const swap = function (a: number, b: number) { return (0, eval)("(function (x, y) { arguments[0] = y; y = 7; return [x, arguments[1]]; })")(a, b); };
  c.is("arguments that are aliases", swap(1, 2), [2, 7]);

  const counter = (from: number) => { let n = from; return { next: () => ++n, get n() { return n; } }; };
  const [one, two] = [counter(0), counter(10)];
  one.next(); two.next(); one.next();
  c.is("variables outlive their call", [one.n, two.n], [2, 11]);

  const trail: string[] = [];
  const thrower = (n: number): never => { try { if (n === 0) throw new Error("deep"); return thrower(n - 1); } finally { trail.push(`f${n}`); } };
  c.throws("a throw through calls", () => thrower(3), "Error: deep");
  c.is("finally", trail, ["f0", "f1", "f2", "f3"]);
  const inner = (): never => { throw new TypeError("here"); };
  const outer = (): string => { try { return inner(); } catch (e) { return (e as Error).stack!; } };
  c.is("a stack", /at inner \(calls\.ts:\d+:\d+\)\n\s+at outer \(calls\.ts:/.test(outer()), true);

  function* walk(n: number): Generator<number> { if (n > 0) { yield depth(n); yield* walk(n - 1); } }
  c.is("generators", [...walk(5)], [5, 4, 3, 2, 1]);
  const later = async (n: number): Promise<number> => (n === 0 ? depth(3) : (await later(n - 1)) + depth(1));
  c.is("async functions", await later(50), 53);
  const sorted = [3, 1, 2].sort((a, b) => depth(a) - depth(b));
  c.is("inside of a sort", sorted, [1, 2, 3]);
  c.throws("a class that is called", () => (Tree as unknown as () => void)(), "TypeError");
  c.is("big frames", Array.from({ length: 200 }, (_, i) => (0, eval)(`(function f(n) { ${many.map((v) => `let v${v} = n + ${v};`).join("")} return n > 0 ? f(n - 1) + v299 : v7; })`)(i % 20)).length, 200);
}
