import assert from "node:assert/strict";
import { appendFile, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LogSpool } from "../../../../src/logs/follow/log-spool.ts";
import { makeDirectory, mountDisk, readAll } from "../../../support/logs/spools.ts";

describe("a spool", () => {
  const position = (time: string) => ({ time, count: 1, taken: 1, isWhole: true });

  it("keeps head and tail of a log that is too long, tells the cut, and takes no more of the disk", async () => {
    await using directory = await makeDirectory();
    const spool = await LogSpool.open(directory.path, { limitBytes: 1600 });
    const printed = Buffer.from(Array.from({ length: 10_000 }, (_, index) => String.fromCharCode(97 + (index % 23))).join(""));
    for (let at = 0; at < printed.length; at += 77) {
      spool.append([printed.subarray(at, at + 77)]);
      await spool.flush();
    }
    const { cut } = spool;
    assert.ok(cut);
    assert.equal(cut.from, 800);
    assert.ok(spool.size - cut.to >= 800 && spool.size - cut.to <= 900, `${spool.size - cut.to} bytes of tail`);
    assert.ok((await readAll(spool)).equals(Buffer.concat([printed.subarray(0, 800), printed.subarray(cut.to)])));
    assert.deepEqual((await spool.read(cut.from + 5, 10)).offset, cut.to);
    await spool.close();
  });

  it("goes back to its last point, and from there on", async () => {
    await using directory = await makeDirectory();
    const open = () => LogSpool.open(directory.path, { limitBytes: 1600 });
    const first = await open();
    first.append([Buffer.from("one\n")]);
    first.notePoint(1, position("a"));
    first.noteHole({ after: "a", before: "b" });
    first.append([Buffer.from("two\n")]);
    first.notePoint(2, position("b"));
    first.append([Buffer.from("half")]);
    await first.close();
    const second = await open();
    assert.equal((await readAll(second)).toString(), "one\ntwo\n");
    assert.deepEqual(second.points.at(-1), { offset: 8, lines: 2, attempt: 0, position: position("b") });
    assert.deepEqual(second.holes, [{ offset: 4, after: "a", before: "b" }]);
    second.append([Buffer.from("three\n")]);
    await second.end();
    await second.close();
    const third = await open();
    assert.equal((await readAll(third)).toString(), "one\ntwo\nthree\n");
    assert.equal(third.isEnded, true);
    await third.close();
  });

  it("goes back to an earlier point where bytes that its journal speaks of never came to the disk", async () => {
    await using directory = await makeDirectory();
    const open = () => LogSpool.open(directory.path, { limitBytes: 2 ** 30 });
    const first = await open();
    const line = Buffer.from(`${"x".repeat(99_999)}\n`);
    for (let index = 1; index <= 3; index += 1) {
      first.append([line]);
      first.notePoint(index, position(`t${index}`));
      await first.flush();
    }
    await first.close();
    await truncate(join(directory.path, "0000000000000000-1.log"), 250_000);
    const second = await open();
    assert.deepEqual([second.size, second.points.at(-1)?.position.time], [200_000, "t2"]);
    await second.close();
  });

  it("rejects what it could not write, as the directory was removed, and stays as it was for readers", async () => {
    await using directory = await makeDirectory();
    const spool = await LogSpool.open(directory.path, { limitBytes: 1600 });
    await rm(directory.path, { recursive: true });
    spool.append([Buffer.from("lost")]);
    await assert.rejects(spool.flush(), { message: `${directory.path}: another process writes this log, or it was removed` });
    assert.throws(() => spool.append([Buffer.from("more")]), { code: "TH_LOG_SPOOL_TAKEN" });
    assert.equal(spool.size, 0);
    await spool.close();
  });

  const LIMIT = 2 ** 30;
  const line = (text: string) => [Buffer.from(`${text}\n`)];

  it("is taken over while another still writes, of whom nothing counts any more and who is told", async () => {
    await using directory = await makeDirectory();
    const first = await LogSpool.open(directory.path, { limitBytes: LIMIT });
    first.append(line("one"));
    first.notePoint(1, position("a"));
    await first.flush();
    first.append(line("not yet in the journal"));
    await first.flush();
    const second = await LogSpool.open(directory.path, { limitBytes: LIMIT });
    assert.equal((await readAll(second)).toString(), "one\n");
    second.append(line("two"));
    second.notePoint(2, position("b"));
    await second.flush();
    first.append(line("late"));
    await assert.rejects(first.flush(), { code: "TH_LOG_SPOOL_TAKEN" });
    await first.close();
    await second.close();
    const third = await LogSpool.open(directory.path, { limitBytes: LIMIT });
    assert.equal((await readAll(third)).toString(), "one\ntwo\n");
    await third.close();
  });

  it("is what its last writer wrote, whatever the one before has left behind that point", async () => {
    await using directory = await makeDirectory();
    const first = await LogSpool.open(directory.path, { limitBytes: 160 });
    first.append(line("one"));
    first.notePoint(1, position("a"));
    await first.flush();
    const second = await LogSpool.open(directory.path, { limitBytes: 160 });
    await second.end();
    await second.close();
    // As a writer does that has looked just before.
    await appendFile(join(directory.path, "0000000000000000-1.log"), "late");
    await writeFile(join(directory.path, "0000000000000010-1.log"), "later");
    const third = await LogSpool.open(directory.path, { limitBytes: 160 });
    assert.deepEqual([(await readAll(third)).toString(), third.isEnded, third.size], ["one\n", true, 4]);
    await third.close();
    await first.close();
  });

  it("is opened by one of two who come in the same moment, and by nobody with an earlier term", async () => {
    await using directory = await makeDirectory();
    const open = (term: number) => LogSpool.open(directory.path, { limitBytes: LIMIT, term });
    const opened = await Promise.allSettled([open(2), open(2), open(2)]);
    const won = opened.filter((each) => each.status === "fulfilled").map(({ value }) => value);
    assert.ok(won.length >= 1);
    for (const each of opened) if (each.status === "rejected") assert.equal(each.reason.code, "TH_LOG_SPOOL_TAKEN");
    won.forEach((spool, index) => void spool.append(line(`${index}`)));
    const written = await Promise.allSettled(won.map((spool) => spool.flush()));
    assert.equal(written.filter(({ status }) => status === "fulfilled").length, 1);
    await assert.rejects(open(1), { code: "TH_LOG_SPOOL_TAKEN" });
    for (const spool of won) await spool.close();
    await (await open(3)).close();
  });

  it("goes on where its next writer was killed while taking over", async () => {
    await using directory = await makeDirectory();
    const first = await LogSpool.open(directory.path, { limitBytes: LIMIT });
    first.append(line("one"));
    first.notePoint(1, position("a"));
    await first.close();
    await writeFile(join(directory.path, "journal-2"), '{"at":0,"li');
    const second = await LogSpool.open(directory.path, { limitBytes: LIMIT });
    assert.equal((await readAll(second)).toString(), "one\n");
    second.append(line("two"));
    second.notePoint(2, position("b"));
    await second.close();
    assert.deepEqual((await readdir(directory.path)).sort(), ["0000000000000000-1.log", "0000000000000004-3.log", "journal-3"]);
  });

  it("writes a journal anew that has become long, and knows the same from it", async () => {
    await using directory = await makeDirectory();
    const first = await LogSpool.open(directory.path, { limitBytes: LIMIT });
    for (let index = 1; index <= 1200; index += 1) {
      first.append(line("x"));
      first.notePoint(index, position(`t${index}${"x".repeat(1000)}`));
      await first.flush();
    }
    await first.close();
    const journals = (await readdir(directory.path)).filter((name) => name.startsWith("journal-"));
    assert.deepEqual(journals, ["journal-2"]);
    assert.ok((await stat(join(directory.path, "journal-2"))).size < 2 ** 20);
    const second = await LogSpool.open(directory.path, { limitBytes: LIMIT });
    assert.deepEqual([second.size, second.points.at(-1)?.lines], [2400, 1200]);
    await second.close();
  });

  it("waits while the disk is full, says so, and goes on when there is room", async () => {
    await using directory = await makeDirectory();
    await using _ = await mountDisk(directory.path, "1m");
    const filler = join(directory.path, "filler");
    const spool = await LogSpool.open(join(directory.path, "spool"), { limitBytes: LIMIT });
    const told = (isFull: boolean) =>
      new Promise<void>((resolve) => {
        const forget = spool.onGrowth(() => {
          if (spool.isDiskFull !== isFull) return;
          forget();
          resolve();
        });
      });
    const isFull = told(true);
    const printed = Buffer.from(Array.from({ length: 5000 }, (_, index) => `${index} ${"x".repeat(90)}\n`).join(""));
    await writeFile(filler, Buffer.alloc(700_000));
    for (let at = 0; at < printed.length; at += 10_000) spool.append([printed.subarray(at, at + 10_000)]);
    spool.notePoint(5000, position("a"));
    await isFull;
    const hasRoom = told(false);
    await rm(filler);
    await hasRoom;
    await spool.flush();
    assert.ok((await readAll(spool)).equals(printed));
    await spool.close();
    const next = await LogSpool.open(join(directory.path, "spool"), { limitBytes: LIMIT });
    assert.deepEqual([next.size, next.points.at(-1)?.lines], [printed.length, 5000]);
    await next.close();
  });

  it("can be closed while the disk is full, and goes on from where its journal stands", async () => {
    await using directory = await makeDirectory();
    await using disk = await mountDisk(directory.path, "1m");
    const open = () => LogSpool.open(join(directory.path, "spool"), { limitBytes: LIMIT });
    const spool = await open();
    spool.append(line("one"));
    spool.notePoint(1, position("a"));
    await spool.flush();
    const full = new Promise<void>((resolve) => void spool.onGrowth(() => spool.isDiskFull && resolve()));
    spool.append([Buffer.alloc(2 ** 20, "x\n")]);
    await full;
    await spool.close();
    await assert.rejects(spool.flush(), { code: "ENOSPC" });
    await assert.rejects(open(), { code: "ENOSPC" });
    await disk.resize("2m");
    const next = await open();
    assert.equal((await readAll(next)).toString(), "one\n");
    await next.close();
  });
});
