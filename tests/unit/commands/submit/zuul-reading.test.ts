import assert from "node:assert/strict";
import { test } from "node:test";
import { keepData, NOTHING_READ, readOutcome, readUpdate, type ZuulReading } from "../../../../src/commands/submit/zuul-reading.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const after = (...data: unknown[]): ZuulReading =>
  data.reduce<ZuulReading>((reading, one) => readUpdate(keepData(reading, bytes(JSON.stringify(one)))), NOTHING_READ);

test("number and manager are those of the first data with a number, url and worker those of the last that names them", () => {
  const reading = after(
    { url: "http://0" },
    { number: 0, manager: "m1", url: "http://1", worker_name: "w1" },
    { number: 2, manager: "m2", url: "", worker_name: "w2" },
    { url: "http://3" },
    {},
  );
  const { lastData, ...read } = reading;
  assert.deepEqual(read, { number: 0, manager: "m1", url: "http://3", workerName: "w2" });
});

test("a status before any data changes nothing", () => {
  assert.deepEqual(readUpdate(NOTHING_READ), NOTHING_READ);
});

test("a warning's data is read at the next update", () => {
  const kept = keepData(NOTHING_READ, bytes('{"number":"n","manager":"m"}'));
  assert.equal(kept.number, null);
  assert.equal(readUpdate(kept).number, "n");
});

test("data that is no object is kept, and read as nothing", () => {
  const reading = readUpdate(keepData(after({ number: "n", manager: "m" }), bytes("[]")));
  assert.equal(reading.number, "n");
  assert.equal(readOutcome(reading).kind, "hang");
});

test("empty data does not replace the last", () => {
  assert.deepEqual(readOutcome(keepData(after({ result: "SUCCESS" }), bytes(""))), {
    kind: "result",
    result: "SUCCESS",
    nodeName: null,
  });
});

test("the outcome is that of the last data alone", () => {
  assert.deepEqual(readOutcome(after({ result: "SUCCESS" }, { node_name: "n" })), { kind: "retry" });
  assert.deepEqual(readOutcome(after({}, { result: "FAILURE", node_name: "n" })), {
    kind: "result",
    result: "FAILURE",
    nodeName: "n",
  });
});

test("no data at all asks for a retry", () => {
  assert.deepEqual(readOutcome(NOTHING_READ), { kind: "retry" });
});

for (const [result, kind] of [
  [null, "retry"],
  ["", "hang"],
  [0, "hang"],
  [false, "hang"],
  [[], "hang"],
  [{}, "hang"],
  [" ", "result"],
  ["success", "result"],
  [1, "result"],
  [true, "result"],
  [["SUCCESS"], "result"],
  ["TIMED_OUT ünïcode", "result"],
] as const) {
  test(`a result of ${JSON.stringify(result)} is a ${kind} and no success`, () => {
    const outcome = readOutcome(after({ result }));
    assert.equal(outcome.kind, kind);
    assert.notEqual(outcome.kind === "result" && outcome.result, "SUCCESS");
  });
}
