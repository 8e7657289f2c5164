import assert from "node:assert/strict";
import { describe, test } from "node:test";
import v8 from "node:v8";
import vm from "node:vm";
import { JunitCounts } from "../../../src/core/artifacts/junit-counts.ts";
import { JunitReader } from "../../../src/uploads/junit-reader.ts";

function read(text: string | Buffer, pieces = 1) {
  const bytes = Buffer.from(text as string);
  const reader = new JunitReader("r.xml");
  const length = Math.max(1, Math.ceil(bytes.length / pieces));
  for (let at = 0; at < bytes.length; at += length) reader.write(bytes.subarray(at, at + length));
  const counts = new JunitCounts();
  const finished = reader.finish();
  if ("counts" in finished) counts.add(finished.counts);
  else counts.addUnread("r.xml", finished.why);
  return counts.record;
}

const PYTEST = `<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="9" failures="9" skipped="9" tests="99" time="1.5">
<testcase classname="tests.test_a" name="test_ok" time="0.25"/>
<testcase classname="tests.test_a" name="test_bad" time="0.5"><failure message="assert 1 == 2 &lt;b&gt; ü&#10;more">def test_bad():
&gt;   assert 1 == 2</failure><system-out>noise</system-out></testcase>
<testcase name="test_err" time="x"><error type="E"><![CDATA[Traceback]]></error></testcase>
<testcase classname="c" name="test_skip"><skipped message="not here"/></testcase>
<testcase name="both"><failure message="one"/><error message="two"/></testcase>
</testsuite></testsuites>`;

describe("a junit file", () => {
  for (const pieces of [1, 7, PYTEST.length]) {
    test(`is counted by its testcases, in ${pieces} pieces`, () => {
      assert.deepEqual(read(PYTEST, pieces), {
        ...{ tests: 5, failures: 1, errors: 2, skipped: 1, seconds: 0.75 },
        failed: [
          {
            ...{ file: "r.xml", name: "tests.test_a.test_bad", kind: "failure" },
            message: "assert 1 == 2 <b> ü\nmore\ndef test_bad():\n>   assert 1 == 2",
          },
          { file: "r.xml", name: "test_err", kind: "error", message: "Traceback" },
          { file: "r.xml", name: "both", kind: "error", message: "two" },
        ],
        unread: [],
      });
    });
  }

  const UNREAD: [string, string | Buffer, RegExp][] = [
    ["with a document type", '<!DOCTYPE a [<!ENTITY b "c">]><testsuite>&b;</testsuite>', /document type/],
    ["with an entity of its own", "<testsuite><testcase name='&xxe;'/></testsuite>", /no XML/],
    ["that is cut off", "<testsuite><testcase name='a'/>", /no XML/],
    ["that is empty", "", /no XML/],
    ["that is something else", "<html/>", /root/],
    ["that is no UTF-8", Buffer.from("<testsuite name='\xff'/>", "latin1"), /UTF-8/],
    ["that goes very deep", "<testsuite>".repeat(200), /deeper/],
    ["that is very large", Buffer.concat([Buffer.from("<testsuite><!--"), Buffer.alloc(17 * 2 ** 20, 0x20)]), /larger/],
  ];
  for (const [what, text, why] of UNREAD) {
    test(`${what} is not counted, and that is said`, () => {
      const record = read(text, 100);
      assert.equal(record?.tests, 0);
      assert.match(record?.unread[0]?.why ?? "", why);
    });
  }

  test("names the first of many failures, cut to what a page shows", () => {
    const record = read(
      `<testsuite>${`<testcase name="${"n".repeat(1000)}"><failure>${"m".repeat(5000)}</failure></testcase>`.repeat(150)}</testsuite>`,
    );
    assert.equal(record?.failures, 150);
    assert.equal(record?.failed.length, 100);
    assert.deepEqual([record?.failed[0]?.name.length, record?.failed[0]?.message.length], [300, 2000]);
  });
});

describe("what is kept of junit files", () => {
  test("does not hold the texts that it was cut from", () => {
    v8.setFlagsFromString("--expose-gc");
    const collect = vm.runInNewContext("gc") as () => void;
    const usedBytes = () => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = usedBytes();
    const counts = new JunitCounts();
    for (const [begin, end] of [
      ['<testcase name="n"><failure message="', '"/></testcase>'],
      ['<testcase name="n"><failure>', "</failure></testcase>"],
      ['<testcase name="', '"><failure/></testcase>'],
    ]) {
      const reader = new JunitReader("r.xml");
      reader.write(Buffer.from(`<testsuite>${begin}`));
      for (let written = 0; written < 64; written += 1) reader.write(Buffer.alloc(64 * 1024, "a"));
      reader.write(Buffer.from(`${end}</testsuite>`));
      const read = reader.finish();
      assert.ok("counts" in read);
      counts.add(read.counts);
    }
    const keptBytes = usedBytes() - before;
    assert.ok(keptBytes < 2 * 2 ** 20, `${keptBytes} bytes for ${counts.record?.failed.length} failures`);
  });
});
