// The engine's functions for the host interface (sdk/ABI.md, engine/host.c), and the errors they make.

interface Native {
  serve(dispatch: (request: any) => unknown, turn: () => boolean, describe: () => unknown): void;
  log(level: number, text: string): void;
  progress(done: number, total: number, text: string): number;
  config(key: string): string | number;
  start(kind: number, head: string, body?: Uint8Array): number;
  wait(ids: Int32Array, millis: number): number;
  status(op: number): number;
  size(op: number, part: number): number;
  read(op: number, part: number, into: Uint8Array): number;
  close(op: number): number;
  random(into: ArrayBufferView): number;
  encode(text: string): ArrayBuffer;
  decode(from: ArrayBufferLike, offset: number, length: number): string;
  evaluate(code: string, name: string): Promise<{ value: unknown }>;
  building(): boolean;
  traced(): boolean;
  kinds(): number;
  preopens(): [fd: number, path: string][];
  open(fd: number, path: string, oflags: number, write: boolean, append: boolean): number;
  readFile(fd: number, into: Uint8Array): number;
  writeFile(fd: number, from: Uint8Array): number;
  closeFile(fd: number): number;
  stat(fd: number, path: string): [type: number, size: number, modified: number] | number;
  list(fd: number): [name: string, type: number][] | number;
  mkdir(fd: number, path: string): number;
  rmdir(fd: number, path: string): number;
  unlink(fd: number, path: string): number;
  rename(fd: number, path: string, to: number, toPath: string): number;
}

const scope = globalThis as { __writ?: Native };
export const native: Native = scope.__writ!;
delete scope.__writ;

/** Capability kinds, as the engine numbers them. */
export const Kind = { config: 1, http: 2, web: 4, kv: 8, fs: 16 } as const;

const reasons: [code: string, text: string][] = [
  ["denied", "not granted"],
  ["invalid", "malformed request"],
  ["not_found", "not found"],
  ["limit", "limit of this call reached"],
  ["unavailable", "the other side did not answer"],
  ["conflict", "changed by somebody else"],
  ["unsupported", "not supported by this host"],
  ["cancelled", "cancelled"],
  ["internal", "the host failed"],
];

/** The host's answer for what is not there. */
export const notFound = -3;

/** Why the host did not do what was asked. It is a TypeError because fetch has to fail with one. */
export class HostError extends TypeError {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = "HostError";
    this.code = code;
  }
}

/** failure makes an error of a negated code and the host's sentence, if it gave one. */
export function failure(result: number, what: string, sentence = ""): HostError {
  const [code, text] = reasons[-result - 1] ?? reasons[8]!;
  return new HostError(code, `${what}: ${sentence || text}`);
}

/** live refuses what asks the host while the servlet is built: the answer would be in every copy of it. */
export function live(what: string): void {
  if (native.building()) throw new HostError("denied", `${what} cannot be used while the servlet is built: use it inside a tool`);
}

/** needs refuses what is of a kind that servlet.toml does not request. */
export function needs(what: string, kind: number, table: string): void {
  live(what);
  if (!(native.kinds() & kind)) throw new HostError("denied", `${what} needs a capability: servlet.toml has no ${table}`);
}

/** part copies a part of an operation: 0 head, 1 body, 2 error text. */
export function part(op: number, number: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.max(0, native.size(op, number)));
  if (bytes.length) native.read(op, number, bytes);
  return bytes;
}
