// What a tool's function is given besides its arguments.
import { AbortSignal } from "./events";
import { failure, native } from "./host";

interface Notification { method: string; params?: { progress?: number; total?: number; message?: string; level?: string; data?: unknown } }

/** Levels of MCP's log messages, as the host orders them. */
const levels: Record<string, number> = { debug: 0, info: 1, notice: 1, warning: 2 };

export class Context {
  #signal: AbortSignal | undefined;

  /** Never aborted: a call that is cancelled ends at once, wherever it is. It is here to be passed on. */
  get signal(): AbortSignal { return this.#signal ??= new AbortSignal(); }

  /** Tells a waiting client how far the call is; total 0 is unknown. */
  progress(done: number, total = 0, message = ""): void {
    const result = native.progress(done, total, message);
    if (result < 0) throw failure(result, "progress");
  }

  /** The official SDK's way to say the same, and to log. Other notifications are dropped. */
  async sendNotification({ method, params = {} }: Notification): Promise<void> {
    if (method === "notifications/progress") this.progress(params.progress ?? 0, params.total, params.message);
    if (method === "notifications/message") native.log(levels[params.level ?? "info"] ?? 3, typeof params.data === "string" ? params.data : JSON.stringify(params.data));
  }
}

export const makeContext = (): Context => new Context();
