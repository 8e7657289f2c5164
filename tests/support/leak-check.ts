// Loaded into every test file by tests/run.ts and tests/check.ts (`node --test --import`): a test that leaves a listener, socket, timer or
// child process behind fails, or its file does where tests share such things. TH_TRACE_LEAKS=1 tells where each was made.
import { createHook } from "node:async_hooks";
import type { ChildProcess } from "node:child_process";
import type { Server, Socket } from "node:net";
import { relative } from "node:path";
import { after, afterEach, beforeEach, type TestContext } from "node:test";

type Counts = Readonly<Record<string, number>>;

/** What is closing takes a turn or two, and a peer in this process a little longer; this is for a busy machine. */
const SETTLE_MS = Number(process.env.TH_LEAK_SETTLE_MS ?? 3000);
const LOOK_EVERY_MS = 5;
/** For the reporter to write the last results. */
const END_GRACE_MS = 2000;
/** Our own timer while waiting, and what ends by itself in no time. */
const IGNORED = new Set(["Immediate", "TickObject", "FSReqPromise", "FSReqCallback"]);

/** By kind, what keeps this process alive; nothing that was unref'ed. */
function countResources(): Counts {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) if (!IGNORED.has(kind)) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

function excess(before: Counts, now = countResources()): string[] {
  return Object.entries(now).flatMap(([kind, count]) => {
    const more = count - (before[kind] ?? 0);
    return more > 0 ? [`${more} ${kind}`] : [];
  });
}

/** Throws when more is there than there was, after all that is closing had time to close. */
async function checkNothingLeft(before: Counts, what: string): Promise<void> {
  const deadlineMs = performance.now() + SETTLE_MS;
  let left = excess(before);
  while (left.length > 0 && performance.now() < deadlineMs) {
    const pause = Promise.withResolvers<void>();
    // Looks from within the timer's own callback would count it: it is over one turn later.
    setTimeout(() => setImmediate(pause.resolve), LOOK_EVERY_MS);
    await pause.promise;
    left = excess(before);
  }
  if (left.length > 0) throw new Error(`${what} has left ${left.join(", ")} behind\n${describeResources()}`);
}

function describeResources(): string {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): object[] };
  const lines = handles.call(process).map(describeHandle);
  const hint = process.env.TH_TRACE_LEAKS ? [...origins.values()] : ["(TH_TRACE_LEAKS=1 tells where timers and sockets were made)"];
  return [...lines, ...hint].join("\n");
}

function describeHandle(handle: object): string {
  if ("spawnfile" in handle) {
    const { spawnargs, pid } = handle as ChildProcess;
    return `process ${pid}: ${spawnargs.join(" ")}`;
  }
  if ("listening" in handle) return `listener on ${JSON.stringify((handle as Server).address())}`;
  if ("remoteAddress" in handle) {
    const { localPort, remoteAddress, remotePort, destroyed } = handle as Socket;
    if (remotePort !== undefined) return `socket ${localPort} -> ${remoteAddress}:${remotePort}${destroyed ? ", destroyed" : ""}`;
  }
  return handle.constructor.name;
}

/** By async id; only with TH_TRACE_LEAKS. */
const origins = new Map<number, string>();

function traceOrigins(): void {
  createHook({
    init(id, type) {
      if (!/^(Timeout|TCPWRAP|TCPSERVERWRAP|PROCESSWRAP)$/.test(type)) return;
      const frames = (new Error().stack ?? "").split("\n").filter((line) => line.includes("file://"));
      if (!frames.slice(1).some((frame) => frame.includes(import.meta.url)))
        origins.set(id, [`${type} made`, ...frames.slice(1)].join("\n"));
    },
    destroy: (id) => void origins.delete(id),
  }).enable();
}

// The process that runs the files imports this as well; it has no tests of its own.
if (process.env.NODE_TEST_CONTEXT !== undefined) {
  if (process.env.TH_TRACE_LEAKS) traceOrigins();
  // Pipes to the runner, made when first used.
  void process.stdin;
  void process.stdout;
  void process.stderr;
  const stdio = countResources();
  const before = new Map<string, Counts>();
  /** What there is between tests that share nothing. */
  let alone = stdio;
  beforeEach((context) => {
    before.set(nameOf(context), countResources());
  });
  afterEach((context) => {
    const { passed, after: afterTest } = context as TestContext & { passed: boolean };
    const counts = before.get(nameOf(context)) ?? stdio;
    before.delete(nameOf(context));
    // What tests share has a life of its own: there the end of the file says whether anything is left.
    if (excess(alone, counts).length > 0) return;
    // A test that has failed is told by its own error. What a test gives to its `after` runs behind all hooks, so that this is the last.
    if (!passed) return;
    afterTest.call(context, async () => {
      try {
        await checkNothingLeft(counts, "the test");
      } finally {
        // What has been told once is not held against the next one.
        alone = countResources();
      }
    });
  });
  // Behind the hooks that the file adds while it is loaded.
  setImmediate(() =>
    after(async () => {
      try {
        await checkNothingLeft(stdio, relative(process.cwd(), process.argv[1] ?? ""));
      } catch (error) {
        // What is left would keep this process from ever ending, and with it the whole run.
        setTimeout(endRegardless, END_GRACE_MS).unref();
        throw error;
      }
    }),
  );
}

/** Ends the processes that the tests have left running, and this one. */
function endRegardless(): void {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): object[] };
  for (const handle of handles.call(process)) if ("spawnfile" in handle) (handle as ChildProcess).kill("SIGKILL");
  process.exit(1);
}

function nameOf(context: object): string {
  return (context as TestContext).fullName;
}
