// Files, in the directories that servlet.toml requests. Paths are absolute; all functions return at once.
import { bytesOf, textOf } from "./encoding";
import { Kind, native, needs } from "./host";

/** The errors of WASI preview 1 that a file function can meet. */
const errors: Record<number, [code: string, text: string]> = {
  2: ["EACCES", "not granted"], 8: ["EBADF", "it is closed"], 10: ["EBUSY", "it is in use"], 19: ["EDQUOT", "the quota of this call is used up"],
  20: ["EEXIST", "it exists already"], 22: ["EFBIG", "it would be too large"], 28: ["EINVAL", "the path is malformed"], 29: ["EIO", "the disk failed"],
  31: ["EISDIR", "it is a directory"], 32: ["ELOOP", "links are not followed out of the directory"], 33: ["EMFILE", "too many files are open"],
  37: ["ENAMETOOLONG", "the path is too long"], 44: ["ENOENT", "there is no such file"], 51: ["ENOSPC", "the disk is full"],
  54: ["ENOTDIR", "a part of the path is not a directory"], 55: ["ENOTEMPTY", "the directory is not empty"], 58: ["ENOTSUP", "it is not supported"],
  63: ["EPERM", "not permitted"], 69: ["EROFS", "the directory was granted for reading only"], 75: ["EXDEV", "the two are in different directories"], 76: ["EACCES", "not granted"],
};

/** Why a file function failed: code is as in Node.js (ENOENT, EACCES, ...). */
export class FileError extends Error {
  readonly code: string;
  readonly path: string;
  constructor(code: string, path: string, text: string) {
    super(`${path}: ${text}`);
    this.name = "FileError";
    this.code = code;
    this.path = path;
  }
}

function check(result: number, path: string): number {
  if (result >= 0) return result;
  const [code, text] = errors[-result] ?? ["EIO", `the host failed (${-result})`];
  throw new FileError(code, path, text);
}

let preopens: [fd: number, path: string][] | undefined;

/** locate finds the directory that a path is in. "." and ".." are resolved before. */
function locate(path: string): [fd: number, rest: string] {
  needs("files", Kind.fs, "[[capabilities.fs]]");
  const steps: string[] = [];
  for (const step of String(path).split("/")) {
    if (step === "..") steps.pop();
    else if (step !== "" && step !== ".") steps.push(step);
  }
  const whole = "/" + steps.join("/");
  let best: [number, string] | undefined;
  let length = -1;
  for (const [fd, at] of (preopens ??= native.preopens())) {
    const prefix = at.endsWith("/") ? at : at + "/";
    if (prefix.length > length && (whole + "/").startsWith(prefix)) [best, length] = [[fd, whole.slice(prefix.length) || "."], prefix.length];
  }
  if (!path.startsWith("/") || !best) throw new FileError("ENOENT", path, "it is in none of the directories of servlet.toml");
  return best;
}

/** Bits of path_open. */
const Open = { create: 1, directory: 2, exclusive: 4, truncate: 8 } as const;

/** within opens a file for a function, and closes it. */
function within<T>(path: string, oflags: number, write: boolean, append: boolean, use: (fd: number) => T): T {
  const [dir, rest] = locate(path);
  const fd = check(native.open(dir, rest, oflags, write, append), path);
  try {
    return use(fd);
  } finally {
    native.closeFile(fd);
  }
}

/** What is at a path. */
export interface FileInfo { isFile: boolean; isDirectory: boolean; size: number; modified: Date }
export interface DirEntry { name: string; isFile: boolean; isDirectory: boolean }
const directory = 3, regular = 4;

/** The bytes of a file. */
export function readFile(path: string): Uint8Array<ArrayBuffer> {
  const size = stat(path).size;
  return within(path, 0, false, false, (fd) => {
    let bytes = new Uint8Array(size + 1), n = 0;
    for (;;) {
      const read = check(native.readFile(fd, bytes.subarray(n)), path);
      if (read === 0) return bytes.slice(0, n);
      n += read;
      if (n === bytes.length) {
        const more = new Uint8Array(n * 2);
        more.set(bytes);
        bytes = more;
      }
    }
  });
}

/** The text of a UTF-8 file. */
export const readTextFile = (path: string): string => textOf(readFile(path));

/** Writes a file; one that is there is replaced, or added to with append, or refused with exclusive. */
export function writeFile(path: string, data: string | ArrayBuffer | ArrayBufferView, options: { append?: boolean; exclusive?: boolean } = {}): void {
  const bytes = typeof data === "string" ? bytesOf(data) : ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
  const oflags = Open.create | (options.exclusive ? Open.exclusive : 0) | (options.append ? 0 : Open.truncate);
  within(path, oflags, true, !!options.append, (fd) => {
    for (let n = 0; n < bytes.length;) n += check(native.writeFile(fd, bytes.subarray(n)), path);
  });
}

export function stat(path: string): FileInfo {
  const [dir, rest] = locate(path);
  const found = native.stat(dir, rest);
  if (typeof found === "number") {
    check(found, path);
    throw new FileError("EIO", path, "the host failed");
  }
  const [type, size, modified] = found;
  return { isFile: type === regular, isDirectory: type === directory, size, modified: new Date(modified) };
}

export function exists(path: string): boolean {
  try {
    stat(path);
    return true;
  } catch (error) {
    if (error instanceof FileError && (error.code === "ENOENT" || error.code === "ENOTDIR")) return false;
    throw error;
  }
}

/** What is in a directory, by name. */
export function readDir(path: string): DirEntry[] {
  return within(path, Open.directory, false, false, (fd) => {
    const list = native.list(fd);
    if (typeof list === "number") {
      check(list, path);
      return [];
    }
    return list.map(([name, type]) => ({ name, isFile: type === regular, isDirectory: type === directory })).sort((a, b) => (a.name < b.name ? -1 : 1));
  });
}

/** Makes a directory; with recursive also those above it, and one that is there is fine. */
export function mkdir(path: string, options: { recursive?: boolean } = {}): void {
  const [dir, rest] = locate(path);
  if (!options.recursive) {
    check(native.mkdir(dir, rest), path);
    return;
  }
  const steps = rest === "." ? [] : rest.split("/");
  steps.forEach((_, i) => {
    const result = native.mkdir(dir, steps.slice(0, i + 1).join("/"));
    if (errors[-result]?.[0] !== "EEXIST") check(result, path);
  });
}

/** Removes a file or an empty directory; with recursive also what is in it. */
export function remove(path: string, options: { recursive?: boolean } = {}): void {
  const [dir, rest] = locate(path);
  if (!stat(path).isDirectory) {
    check(native.unlink(dir, rest), path);
    return;
  }
  if (options.recursive) for (const entry of readDir(path)) remove(`${path}/${entry.name}`, options);
  check(native.rmdir(dir, rest), path);
}

export function rename(from: string, to: string): void {
  const [dir, rest] = locate(from);
  const [toDir, toRest] = locate(to);
  check(native.rename(dir, rest, toDir, toRest), from);
}
