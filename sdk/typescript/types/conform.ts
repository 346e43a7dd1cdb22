// What the SDK is has to be what its types say. Only the compiler reads this file.
import * as sdk from "../src/index";
import type { Context } from "../src/context";
import * as evaluation from "../src/eval";
import * as files from "../src/files";
import { console as c } from "../src/console";
import { crypto as k } from "../src/crypto";
import { structuredClone as clone } from "../src/clone";
import { Blob as B } from "../src/blob";
import { subtle } from "../src/subtle";
import * as encoding from "../src/encoding";
import * as events from "../src/events";
import { fetch as f } from "../src/fetch";
import * as http from "../src/http";
import * as loop from "../src/loop";
import { URL as U } from "../src/url";
import { URLSearchParams as P } from "../src/url_search";
import type * as declaredEval from "./eval";
import type * as declaredFiles from "./files";
import type * as declared from "./index";

type Same<A, B extends A> = B;
export type Checks = [
  Same<typeof declared.t, typeof sdk.t>, Same<typeof declared.config, typeof sdk.config>, Same<typeof declared.kv, typeof sdk.kv>,
  Same<keyof declared.McpServer, keyof sdk.McpServer>, Same<keyof declared.Context, keyof Context>,
  Same<declared.HostError, InstanceType<typeof sdk.HostError>>,
  Same<Omit<typeof declaredFiles, "FileError">, typeof files>, Same<declaredFiles.FileError, files.FileError>,
  Same<typeof declaredEval, typeof evaluation>, Same<Blob, B>,
  Same<Console, typeof c>, Same<Omit<Crypto, "subtle">, typeof k>, Same<keyof SubtleCrypto, keyof typeof subtle>, Same<(value: any) => any, typeof clone>,
  Same<TextEncoder, encoding.TextEncoder>, Same<TextDecoder, encoding.TextDecoder>,
  Same<keyof Event, Exclude<keyof events.Event, "stopped">>, Same<keyof CustomEvent, Exclude<keyof events.CustomEvent, "stopped">>, Same<keyof EventTarget, keyof events.EventTarget>,
  Same<keyof AbortSignal, keyof events.AbortSignal>, Same<keyof AbortController, keyof events.AbortController>,
  Same<URL, U>, Same<URLSearchParams, P>, Same<Headers, http.Headers>,
  Same<keyof Request, keyof http.Request>, Same<keyof Response, keyof http.Response>,
  Same<keyof RequestInit, keyof http.RequestInit>, Same<(url: string) => Promise<unknown>, typeof f>,
  Same<(run: () => void, millis?: number) => number, typeof loop.setTimeout>,
];
