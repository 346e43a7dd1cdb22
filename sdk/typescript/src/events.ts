// Event, EventTarget, AbortController and AbortSignal (dom.spec.whatwg.org), without a tree of nodes.
import { native } from "./host";
import { setTimeout } from "./loop";

export class Event {
  readonly type: string;
  readonly cancelable: boolean;
  readonly timeStamp = performance.now();
  readonly bubbles = false;
  target: EventTarget | null = null;
  currentTarget: EventTarget | null = null;
  defaultPrevented = false;
  stopped = false;
  constructor(type: string, options: { cancelable?: boolean } = {}) {
    this.type = String(type);
    this.cancelable = !!options.cancelable;
  }
  preventDefault(): void { if (this.cancelable) this.defaultPrevented = true; }
  stopPropagation(): void {}
  stopImmediatePropagation(): void { this.stopped = true; }
}

export class CustomEvent extends Event {
  readonly detail: unknown;
  constructor(type: string, options: { cancelable?: boolean; detail?: unknown } = {}) {
    super(type, options);
    this.detail = options.detail ?? null;
  }
}

type Listener = ((event: Event) => void) | { handleEvent(event: Event): void };
interface Registration { type: string; listener: Listener; once: boolean; capture: boolean }

export class EventTarget {
  #listeners: Registration[] = [];

  addEventListener(type: string, listener: Listener | null, options: boolean | { once?: boolean; capture?: boolean; signal?: AbortSignal } = {}): void {
    const { once = false, capture = false, signal } = typeof options === "boolean" ? { capture: options } : options;
    if (!listener || signal?.aborted || this.#listeners.some((l) => l.type === type && l.listener === listener && l.capture === capture)) return;
    this.#listeners.push({ type, listener, once, capture });
    signal?.addEventListener("abort", () => this.removeEventListener(type, listener, { capture }), { once: true });
  }

  removeEventListener(type: string, listener: Listener | null, options: boolean | { capture?: boolean } = {}): void {
    const capture = typeof options === "boolean" ? options : !!options.capture;
    this.#listeners = this.#listeners.filter((l) => l.type !== type || l.listener !== listener || l.capture !== capture);
  }

  dispatchEvent(event: Event): boolean {
    event.target = event.currentTarget = this;
    for (const l of this.#listeners.filter((l) => l.type === event.type)) {
      if (event.stopped) break;
      if (l.once) this.removeEventListener(l.type, l.listener, l.capture);
      try {
        if (typeof l.listener === "function") l.listener.call(this, event);
        else l.listener.handleEvent(event);
      } catch (error) {
        native.log(3, `a listener stopped: ${error}\n${(error as Error)?.stack ?? ""}`);
      }
    }
    return !event.defaultPrevented;
  }
}

/** Makes a signal abort; only what is in this file can. */
let abort: (signal: AbortSignal, reason: unknown) => void;

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason: unknown = undefined;
  onabort: ((event: Event) => void) | null = null;

  static {
    abort = (signal, reason) => {
      if (signal.#aborted) return;
      signal.#aborted = true;
      signal.#reason = reason === undefined ? new DOMException("the operation was aborted", "AbortError") : reason;
      const event = new Event("abort");
      signal.onabort?.(event);
      signal.dispatchEvent(event);
    };
  }

  get aborted(): boolean { return this.#aborted; }
  get reason(): unknown { return this.#reason; }
  throwIfAborted(): void { if (this.#aborted) throw this.#reason; }

  static abort(reason?: unknown): AbortSignal {
    const signal = new AbortSignal();
    abort(signal, reason);
    return signal;
  }
  static timeout(millis: number): AbortSignal {
    const signal = new AbortSignal();
    setTimeout(() => abort(signal, new DOMException("the time is over", "TimeoutError")), millis);
    return signal;
  }
  static any(signals: Iterable<AbortSignal>): AbortSignal {
    const signal = new AbortSignal();
    for (const one of signals) {
      if (one.aborted) abort(signal, one.reason);
      one.addEventListener("abort", () => abort(signal, one.reason), { once: true });
    }
    return signal;
  }
}

export class AbortController {
  readonly signal = new AbortSignal();
  abort(reason?: unknown): void { abort(this.signal, reason); }
}
