import type { Check } from "./check";

export async function events(c: Check): Promise<void> {
  const seen: string[] = [];
  const target = new EventTarget();
  const listener = { handleEvent: (e: Event) => { seen.push(`object ${e.type}`); } };
  target.addEventListener("x", listener);
  target.addEventListener("x", listener);
  target.addEventListener("x", (e) => { seen.push(`once ${(e as CustomEvent).detail}`); e.preventDefault(); }, { once: true });
  c.is("prevented", target.dispatchEvent(new CustomEvent("x", { detail: 7, cancelable: true })), false);
  c.is("not prevented", target.dispatchEvent(new CustomEvent("x", { detail: 8, cancelable: true })), true);
  target.removeEventListener("x", listener);
  target.dispatchEvent(new Event("x"));
  c.is("seen", seen, ["object x", "once 7", "object x"]);

  const controller = new AbortController();
  const any = AbortSignal.any([controller.signal, new AbortController().signal]);
  let fired = 0;
  any.addEventListener("abort", () => { fired++; });
  controller.signal.onabort = () => { fired += 10; };
  controller.abort();
  controller.abort("again");
  c.is("aborted", [controller.signal.aborted, (controller.signal.reason as Error).name, any.aborted, fired], [true, "AbortError", true, 11]);
  c.throws("throwIfAborted", () => controller.signal.throwIfAborted(), "AbortError");
  c.is("a reason", AbortSignal.abort("why").reason, "why");
  const timeout = AbortSignal.timeout(2);
  await new Promise((done) => timeout.addEventListener("abort", done));
  c.is("timeout", (timeout.reason as Error).name, "TimeoutError");
}

export async function timers(c: Check): Promise<void> {
  const order: unknown[] = [];
  const start = performance.now();
  setTimeout((x: number) => order.push(x), 20, 20);
  setTimeout(() => order.push(5), 5);
  const never = setTimeout(() => order.push("never"), 1);
  clearTimeout(never);
  setTimeout(() => order.push(0));
  queueMicrotask(() => order.push("micro"));
  let ticks = 0;
  await new Promise<void>((done) => {
    const interval = setInterval(() => {
      if (++ticks < 3) return;
      clearInterval(interval);
      done();
    }, 2);
  });
  while (order.length < 4) await new Promise((done) => setTimeout(done, 1));
  c.is("order", order, ["micro", 0, 5, 20]);
  c.is("ticks", ticks, 3);
  c.is("time passed", performance.now() - start >= 19, true);
  c.is("race", await Promise.race([new Promise((d) => setTimeout(d, 50, "slow")), new Promise((d) => setTimeout(d, 1, "fast"))]), "fast");
  c.throws("no function", () => setTimeout("code" as never), "function");
}
