import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { performCheckout } from "../../../src/commands/checkout.ts";
import { CHECKOUT_EXIT_CODES } from "../../../src/core/checkout/problem.ts";
import { parseCheckoutRecord } from "../../../src/core/checkout/record.ts";
import { type Clock, systemClock } from "../../../src/runtime/clock.ts";

/** The command `checkout` in this process, in a workspace of its own, and what it left and said. */

export async function makeWorkspace(t: TestContext): Promise<string> {
  const workspace = await realpath(await mkdtemp(join(tmpdir(), "turbo-hipster-workspace-")));
  t.after(() => rm(workspace, { recursive: true, force: true }));
  return workspace;
}

export interface Ran {
  code: number;
  printed: string;
  errors: string;
  /** What the pod's status would show. */
  message: string | undefined;
  workspace: string;
  /** How long it waited before each further try; the waiting itself is left out here. */
  delaysMs: number[];
}

interface RunOptions {
  allowedUrl?: string[];
  timeoutMs?: number;
  leaveSubmodules?: boolean;
  gitUrl?: string;
  workspace?: string;
  signal?: AbortSignal;
  schedule?: Clock["schedule"];
  environment?: Record<string, string>;
  privateDirectory?: string;
  credentials?: { url: string; directory: string }[];
  depth?: number;
  filter?: "blob:none";
  cache?: string;
  projects?: string[];
}

export async function run(t: TestContext, values: object | string, options: RunOptions = {}): Promise<Ran> {
  const workspace = options.workspace ?? (await makeWorkspace(t));
  const files = await makeWorkspace(t);
  const environment = {
    PATH: process.env.PATH,
    TH_PARAMETERS_FILE: join(files, "parameters"),
    TH_TERMINATION_FILE: join(files, "message"),
  };
  await writeFile(environment.TH_PARAMETERS_FILE, typeof values === "string" ? values : JSON.stringify(values));
  const lines: string[] = [];
  const errors: string[] = [];
  const delaysMs: number[] = [];
  const code = await performCheckout(
    {
      path: workspace,
      allowedUrl: options.allowedUrl ?? [],
      timeout: options.timeoutMs ?? 60_000,
      leaveSubmodules: options.leaveSubmodules ?? false,
      ...(options.gitUrl === undefined ? {} : { gitUrl: options.gitUrl }),
      ...(options.projects === undefined ? {} : { project: options.projects }),
      ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
      ...(options.privateDirectory === undefined ? {} : { private: options.privateDirectory }),
      ...(options.depth === undefined ? {} : { depth: options.depth }),
      ...(options.filter === undefined ? {} : { filter: options.filter }),
      ...(options.cache === undefined ? {} : { cache: options.cache }),
    },
    {
      environment: { ...environment, ...options.environment },
      clock: {
        ...systemClock,
        sleep: async (delayMs) => void delaysMs.push(delayMs),
        schedule: options.schedule ?? systemClock.schedule,
      },
      signal: options.signal ?? new AbortController().signal,
      print: (line) => void lines.push(line),
      printError: (line) => void errors.push(line),
    },
  );
  const message = await readFile(environment.TH_TERMINATION_FILE, "utf8").catch(() => undefined);
  return { code, printed: lines.join("\n"), errors: errors.join("\n"), message, workspace, delaysMs };
}

/** git in a finished checkout, as the test container would call it. */
export async function git(ran: Ran, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("git", args, { cwd: join(ran.workspace, "org/project") });
  return stdout.trim();
}

export function assertDone(ran: Ran): void {
  assert.equal(ran.code, CHECKOUT_EXIT_CODES.ok, `${ran.printed}\n${ran.errors}`);
  assert.notDeepEqual(parseCheckoutRecord(ran.message ?? ""), [], "the pod's status tells what was checked out");
}

export function assertFailed(ran: Ran, fault: "network" | "ref" | "configuration", message: RegExp): void {
  assert.equal(ran.code, CHECKOUT_EXIT_CODES[fault], `${ran.printed}\n${ran.errors}`);
  assert.equal(ran.message, `${ran.errors}\n`, "people and the pod's status read the same");
  assert.match(ran.message ?? "", message);
  assert.match(ran.message ?? "", /^[\x20-\x7e]+\n$/, "one line");
}
