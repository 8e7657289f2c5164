import assert from "node:assert/strict";
import { appendFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { LogSpool } from "../../../../src/logs/follow/log-spool.ts";
import { SpoolView } from "../../../../src/logs/follow/spool-view.ts";
import { systemClock } from "../../../../src/runtime/clock.ts";
import { startChild } from "../../../support/child-process.ts";
import { makeDirectory } from "../../../support/logs/spools.ts";

const WRITER = fileURLToPath(new URL("../../../support/logs/spool-process.ts", import.meta.url));
const LIMIT = 2 ** 30;

interface Written {
  text?: string;
  /** There is a point then, behind so many lines. */
  lines?: number;
  hole?: { after: string; before?: string };
  isEnd?: boolean;
}

/** A process that writes the spool; `write` resolves when that is written. */
async function startWriter(directory: string, limit = LIMIT) {
  const waiters: (() => void)[] = [];
  const next = () => new Promise<void>((resolve) => waiters.push(resolve));
  const opened = next();
  const child = await startChild({
    ...{ command: process.execPath, args: [WRITER, directory, `${limit}`] },
    onLine: () => waiters.shift()?.(),
  });
  const orEnded = (done: Promise<void>) =>
    Promise.race([
      done,
      child.exited.then(() => {
        throw new Error(`the writer ended: ${child.log()}`);
      }),
    ]);
  await orEnded(opened);
  const write = (written: Written) => {
    const done = next();
    child.writeLine(JSON.stringify(written));
    return orEnded(done);
  };
  const kill = async () => {
    child.kill("SIGKILL");
    await child.exited;
  };
  return { write, kill, [Symbol.asyncDispose]: () => child.stop().then(() => {}) };
}

async function openView(directory: string): Promise<SpoolView> {
  const view = await SpoolView.open(directory, systemClock);
  assert.ok(view);
  return view;
}

async function readView(view: SpoolView): Promise<string> {
  let text = "";
  for (let at = 0; at < view.snapshot().bytes; ) {
    const { offset, bytes } = await view.read(at, 1000);
    assert.ok(bytes.length > 0, `nothing at ${at} of ${view.snapshot().bytes}`);
    text += Buffer.from(bytes);
    at = offset + bytes.length;
  }
  return text;
}

const patience = () => AbortSignal.timeout(120_000);

describe("a spool that another process writes", () => {
  it("is not there before anybody has begun it", async () => {
    await using directory = await makeDirectory();
    assert.equal(await SpoolView.open(directory.path, systemClock), undefined);
    assert.equal(await SpoolView.open(`${directory.path}/none`, systemClock), undefined);
  });

  it("is read while it grows, with its holes, to its end, and its readers are told of both", async () => {
    await using directory = await makeDirectory();
    await using writer = await startWriter(directory.path);
    const view = await openView(directory.path);
    assert.deepEqual([view.snapshot().bytes, view.snapshot().isEnded], [0, false]);
    const told = Promise.all([view.changed(patience()), view.changed(patience())]);
    await writer.write({ text: "one\n", lines: 1 });
    await told;
    assert.equal(await readView(view), "one\n");
    assert.deepEqual(view.points().at(-1)?.lines, 1);
    await writer.write({ hole: { after: "t1", before: "t2" } });
    await Promise.all([view.changed(patience()), writer.write({ text: "two\n", lines: 2 })]);
    assert.deepEqual(view.snapshot().holes, [{ offset: 4, after: "t1", before: "t2" }]);
    await Promise.all([view.changed(patience()), writer.write({ text: "no newline", isEnd: true })]);
    assert.deepEqual([await readView(view), view.snapshot().isEnded], ["one\ntwo\nno newline", true]);
    await view.changed(patience());
  });

  it("shows nothing that the next writer would take back, and goes on with that one where the first was killed", async () => {
    await using directory = await makeDirectory();
    await using first = await startWriter(directory.path);
    await first.write({ text: "one\n", lines: 1 });
    await first.write({ text: "half of a li" });
    const view = await openView(directory.path);
    assert.equal(await readView(view), "one\n");
    await first.kill();
    await using second = await startWriter(directory.path);
    const told = view.changed(patience());
    await second.write({ text: "two\n", lines: 2 });
    await told;
    assert.equal(await readView(view), "one\ntwo\n");
  });

  it("goes on with who has taken it over, and has nothing of what the one before writes yet", async () => {
    await using directory = await makeDirectory();
    const first = await LogSpool.open(directory.path, { limitBytes: LIMIT });
    const note = (lines: number) => first.notePoint(lines, { time: `t${lines}`, count: 1, taken: 1, isWhole: true });
    first.append([Buffer.from("one\n")]);
    note(1);
    await first.flush();
    const view = await openView(directory.path);
    await using second = await startWriter(directory.path);
    first.append([Buffer.from("late\n")]);
    note(2);
    await assert.rejects(first.flush(), { code: "TH_LOG_SPOOL_TAKEN" });
    const told = view.changed(patience());
    await second.write({ text: "two\n", lines: 2 });
    await told;
    assert.equal(await readView(view), "one\ntwo\n");
    await first.close();
  });

  it("keeps what it has shown while the next writer, who is killed at first, comes by there again", async () => {
    await using directory = await makeDirectory();
    const first = await LogSpool.open(directory.path, { limitBytes: LIMIT });
    for (const lines of [1, 2]) {
      first.append([Buffer.from(`line ${lines}\n`)]);
      first.notePoint(lines, { time: `t${lines}`, count: 1, taken: 1, isWhole: true });
      await first.flush();
    }
    await first.close();
    const view = await openView(directory.path);
    const path = (name: string) => join(directory.path, name);
    const [one] = (await readFile(path("journal-1"), "utf8")).split("\n").filter((text) => text.includes('"lines":1'));
    assert.ok(one);
    const beginning = `${one}\n{"term":0}\n`;
    // As of a writer that had looked a moment before the first one's last word.
    await writeFile(path("journal-2"), beginning.slice(0, -3));
    assert.deepEqual([await view.look(), await readView(view)], [false, "line 1\nline 2\n"]);
    assert.equal(await readView(await openView(directory.path)), "line 1\nline 2\n");
    await writeFile(path("journal-2"), beginning);
    assert.deepEqual([await view.look(), await readView(view)], [false, "line 1\nline 2\n"]);
    await writeFile(path("0000000000000007-2.log"), "line 2\nline 3\nhalf a");
    const three = one.replace('"at":7,"lines":1', '"at":21,"lines":3');
    await appendFile(path("journal-2"), three);
    assert.equal(await view.look(), false, "that may be half a line");
    await appendFile(path("journal-2"), "\n");
    assert.deepEqual([await view.look(), await readView(view)], [true, "line 1\nline 2\nline 3\n"]);
    await appendFile(path("journal-2"), '{"end":40}\n');
    assert.deepEqual([await view.look(), view.snapshot().isEnded], [false, false], "its bytes are not seen yet");
    await appendFile(path("0000000000000007-2.log"), " line, and no more");
    await view.look();
    assert.deepEqual([view.snapshot().isEnded, view.snapshot().bytes], [true, 40]);
  });

  it("is read on when its middle is thrown away meanwhile", async () => {
    await using directory = await makeDirectory();
    await using writer = await startWriter(directory.path, 1600);
    let lines = 0;
    const print = async (count: number) => {
      for (let index = 0; index < count; index += 1) {
        lines += 1;
        await writer.write({ text: `${String(lines).padStart(9, "0")}\n`, lines });
      }
    };
    await print(150);
    const view = await openView(directory.path);
    assert.equal((await readView(view)).length, 1500);
    await print(100);
    // It knows nothing of that yet.
    assert.equal(view.snapshot().cut, undefined);
    const { offset, bytes } = await view.read(900, 10);
    const { cut } = view.snapshot();
    assert.ok(cut && cut.from === 800 && cut.to > 900, JSON.stringify(cut));
    assert.deepEqual([offset, Buffer.from(bytes).toString()], [cut.to, `${String(cut.to / 10 + 1).padStart(9, "0")}\n`]);
    // A file goes a moment before the journal has a word of what comes instead.
    await rm(join(directory.path, `${String(cut.to).padStart(16, "0")}-1.log`));
    assert.ok((await view.read(cut.to, 10)).offset > cut.to);
  });

  it("is read on when its journal is written anew", async () => {
    await using directory = await makeDirectory();
    const spool = await LogSpool.open(directory.path, { limitBytes: LIMIT });
    const view = await openView(directory.path);
    for (let lines = 1; lines <= 1200; lines += 1) {
      spool.append([Buffer.from("x\n")]);
      spool.notePoint(lines, { time: `t${lines}${"x".repeat(1000)}`, count: 1, taken: 1, isWhole: true });
      await spool.flush();
      if (lines % 100 === 0) await view.look();
      if (lines % 100 === 0) assert.equal(view.snapshot().bytes, 2 * lines);
    }
    await spool.close();
  });

  it("tells its readers that it is gone, and those who leave that they have left", async () => {
    await using directory = await makeDirectory();
    await using writer = await startWriter(directory.path);
    await writer.write({ text: "one\n", lines: 1 });
    const view = await openView(directory.path);
    const leaving = new AbortController();
    const left = view.changed(leaving.signal);
    leaving.abort(new Error("left"));
    await assert.rejects(left, { message: "left" });
    const gone = view.changed(patience());
    await rm(directory.path, { recursive: true });
    await gone;
    assert.deepEqual([view.snapshot().isLeft, view.snapshot().isEnded], [true, false]);
    await view.changed(patience());
  });
});
