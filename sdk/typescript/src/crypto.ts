// crypto: random bytes of the host. Math.random is the engine's own, seeded for every call.
import { live, native } from "./host";

const largest = 65536; // bytes at once, as the Web Cryptography API has it

export const crypto = {
  getRandomValues<T extends ArrayBufferView>(into: T): T {
    live("crypto.getRandomValues");
    if (!ArrayBuffer.isView(into) || into instanceof Float32Array || into instanceof Float64Array || into instanceof DataView) throw new DOMException("an array of integers is needed", "TypeMismatchError");
    if (into.byteLength > largest) throw new DOMException(`${into.byteLength} bytes are more than ${largest} at once`, "QuotaExceededError");
    native.random(into);
    return into;
  },
  randomUUID(): string {
    live("crypto.randomUUID");
    const bytes = new Uint8Array(16);
    native.random(bytes);
    bytes[6] = (bytes[6]! & 0x0f) | 0x40;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
  },
};
