// What makes time pass for a script: timers, and operations of the host that it waits for.
import { failure, live, native } from "./host";

interface Timer { at: number; id: number; run: () => void; every: number }

/** In the order in which they are due. */
const timers: Timer[] = [];
let nextTimer = 1;

function insert(timer: Timer): void {
  let i = timers.length;
  while (i > 0 && timers[i - 1]!.at > timer.at) i--;
  timers.splice(i, 0, timer);
}

function schedule(run: unknown, millis: unknown, args: unknown[], repeats: boolean): number {
  live("a timer");
  if (typeof run !== "function") throw new TypeError("a timer needs a function");
  const wait = Math.min(Math.max(Math.trunc(Number(millis)) || 0, 0), 0x7fffffff);
  const id = nextTimer++;
  insert({ at: performance.now() + wait, id, run: () => run(...args), every: repeats ? Math.max(wait, 1) : 0 });
  return id;
}

export const setTimeout = (run: unknown, millis?: unknown, ...args: unknown[]): number => schedule(run, millis, args, false);
export const setInterval = (run: unknown, millis?: unknown, ...args: unknown[]): number => schedule(run, millis, args, true);
export function clearTimeout(id?: unknown): void {
  const i = timers.findIndex((timer) => timer.id === Number(id));
  if (i >= 0) timers.splice(i, 1);
}
export const clearInterval = clearTimeout;

/** Operations that somebody waits for, and how to tell them. */
const waiting = new Map<number, () => void>();

/** settled resolves when the host is done with an operation. */
export const settled = (op: number): Promise<void> => new Promise((resolve) => waiting.set(op, resolve));

/** forget gives an operation up: the host cancels what still runs of it. */
export function forget(op: number): void {
  waiting.delete(op);
  native.close(op);
}

/** Who waits until there is nothing to wait for. */
let idlers: (() => void)[] = [];

/** idle resolves when no timer and no operation is left. */
export const idle = (): Promise<void> => new Promise((resolve) => { idlers.push(resolve); });

/** turn runs the next timer or ends the next operation; false: there is nothing to wait for. */
export function turn(): boolean {
  const next = timers[0];
  if (!next && !waiting.size) {
    const told = idlers;
    idlers = [];
    for (const resolve of told) resolve();
    return told.length > 0;
  }
  const millis = next ? Math.max(0, Math.ceil(next.at - performance.now())) : -1;
  if (waiting.size || millis > 0) {
    const done = native.wait(Int32Array.from(waiting.keys()), millis);
    if (done < 0) throw failure(done, "waiting");
    if (done > 0) {
      const resolve = waiting.get(done)!;
      waiting.delete(done);
      resolve();
      return true;
    }
  }
  if (next && next.at <= performance.now()) {
    timers.shift();
    if (next.every) insert({ ...next, at: performance.now() + next.every });
    next.run();
  }
  return true;
}
