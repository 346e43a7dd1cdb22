/**
 * Files in the directories that servlet.toml requests under [[capabilities.fs]]. Paths are absolute and
 * start with a directory's guest path. The functions return at once: there is nothing to await.
 */

/** Why a function failed: code is as in Node.js (ENOENT, EACCES, EEXIST, EROFS, ...). */
export declare class FileError extends Error {
  readonly code: string;
  readonly path: string;
}

export interface FileInfo { isFile: boolean; isDirectory: boolean; size: number; modified: Date }
export interface DirEntry { name: string; isFile: boolean; isDirectory: boolean }

/** The bytes of a file. */
export declare function readFile(path: string): Uint8Array<ArrayBuffer>;
/** The text of a UTF-8 file. */
export declare function readTextFile(path: string): string;
/** Writes a file: one that is there is replaced, or added to with append, or refused with exclusive. */
export declare function writeFile(path: string, data: string | ArrayBuffer | ArrayBufferView, options?: { append?: boolean; exclusive?: boolean }): void;
export declare function stat(path: string): FileInfo;
export declare function exists(path: string): boolean;
/** What is in a directory, by name. */
export declare function readDir(path: string): DirEntry[];
/** Makes a directory; with recursive also those above it, and one that is there is fine. */
export declare function mkdir(path: string, options?: { recursive?: boolean }): void;
/** Removes a file or an empty directory; with recursive also what is in it. */
export declare function remove(path: string, options?: { recursive?: boolean }): void;
export declare function rename(from: string, to: string): void;
