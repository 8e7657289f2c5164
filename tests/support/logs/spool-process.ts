// Writes a spool, as a process of its own that can be killed: DIRECTORY LIMIT. Each line of its input is a JSON [text, point, hole, end]:
// appends the text, then notes a point of so many lines, a hole, the end; says `done` when that is written.
import { createInterface } from "node:readline";
import { LogSpool } from "../../../src/logs/follow/log-spool.ts";

const [directory = "", limit = ""] = process.argv.slice(2);
const spool = await LogSpool.open(directory, { limitBytes: Number(limit) });
console.log("done");
for await (const line of createInterface({ input: process.stdin })) {
  const { text = "", lines, hole, isEnd } = JSON.parse(line);
  spool.append([Buffer.from(text)]);
  if (hole !== undefined) spool.noteHole(hole);
  if (lines !== undefined) spool.notePoint(lines, { time: `t${lines}`, count: 1, taken: 1, isWhole: true });
  await spool.flush();
  if (isEnd) await spool.end();
  console.log("done");
}
await spool.close();
