import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import fc from "fast-check";
import { makeMasker } from "../../../../src/core/logs/masking.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";

const secret = (value: string | Uint8Array, name = "db/password") => ({
  name,
  value: typeof value === "string" ? Buffer.from(value) : value,
});

/** `text` as it comes out, written in chunks of `size` bytes. */
function masked(values: readonly (string | Uint8Array)[], text: string | Uint8Array, size = 1 << 20): string {
  const masking = makeMasker(values.map((value) => secret(value))).begin();
  const bytes = Buffer.from(text as string);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(...masking.write(bytes.subarray(at, at + size)));
  return Buffer.concat([...parts, ...masking.end()]).toString();
}

const PEM = `-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj
MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu
mIR9wkdVYPJe
-----END PRIVATE KEY-----
`;

describe("a masked log", () => {
  const shown: [string, string | Uint8Array, string, string][] = [
    ["as it is", "hunter22", "login hunter22 ok\n", "login *** ok\n"],
    ["twice, one at the other's end", "hunter22", "hunter22hunter22", "******"],
    ["with blanks around it that the Secret has", "  hunter22\n", "[hunter22]", "[***]"],
    ["in a longer word", "hunter22", "xhunter22x", "x***x"],
    ["begun and never ended", "hunter22", "hunter2\nhunter2", "hunter2\nhunter2"],
    ["begun anew within itself", "ababac-1", "abababac-1", "ab***"],
    ["URL-encoded", "p@ss/w+rd é", "u=p%40ss%2Fw%2Brd%20%C3%A9&", "u=***&"],
    ["URL-encoded with its slash, as a path", "p@ss/w+rd é", "u=p%40ss/w%2Brd%20%C3%A9&", "u=***&"],
    ["URL-encoded by a form", "p@ss/w+rd é", "u=p%40ss%2Fw%2Brd+%C3%A9&", "u=***&"],
    ["URL-encoded in small digits", "p@ss/w+rd", "u=p%40ss%2fw%2brd&", "u=***&"],
    ["in a JSON text", 'say "hi" \\o/', '{"a":"say \\"hi\\" \\\\o/"}', '{"a":"***"}'],
    ["between tags", "a&b<c>'d\"", "<error>a&amp;b&lt;c&gt;'d\"</error>", "<error>***</error>"],
    ["in an attribute, by Java", "a&b<c>'d\"", '<f message="a&amp;b&lt;c&gt;&apos;d&quot;"/>', '<f message="***"/>'],
    ["in an attribute, by Python", "a&b<c>'d\"", '<f message="a&amp;b&lt;c&gt;&#x27;d&quot;"/>', '<f message="***"/>'],
    ["in an attribute, by Go", "a&b<c>'d\"", '<f message="a&amp;b&lt;c&gt;&#39;d&#34;"/>', '<f message="***"/>'],
    ["of several lines, in a JSON text", "first line\nsecond line", '{"a":"first line\\nsecond line"}', '{"a":"***"}'],
    ["of several lines, line by line", "first line\n  second line\r\n", "| first line\n| second line\n", "| ***\n| ***\n"],
    ["of several lines, one of them", PEM, "x MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu", "x ***"],
    ["that is no text", Buffer.from([0, 255, 254, 1, 2, 128, 7]), "a%00%FF%FE%01%02%80%07b", "a***b"],
    ["in base64 for URLs", Buffer.from("fbefbefbefbeff", "hex"), "t=--------_w.", "t=***."],
  ];
  for (const [name, value, text, expected] of shown) {
    test(`does not show a secret ${name}, in whatever chunks it comes`, () => {
      for (const size of [1, 2, 3, 7, 1 << 20]) assert.equal(masked([value], text, size), expected, `chunks of ${size} bytes`);
    });
  }

  test("shows one mask for secrets that overlap, and for one that another may go on from, in whatever chunks they come", () => {
    for (const size of [1, 2, 3, 7, 100]) {
      assert.equal(masked(["hunter22", "er22-and-more"], "<hunter22-and-more>", size), "<***>");
      assert.equal(masked(["hunter22", "er22-and-more"], "<hunter22-and-less>", size), "<***-and-less>");
    }
  });

  const kept: [string, string, string][] = [
    ["too short", "abc12", "abc12\n"],
    ["too short but for the blanks around it", " abc12 \n", " abc12 \n"],
    ["empty", "", "anything\n"],
    ["one character again and again", "----------", "------------------\n"],
    ["a word that says nothing", "Localhost", "listens on localhost, Localhost\n"],
  ];
  for (const [name, value, text] of kept) {
    test(`is left as it is where the value is ${name}, and its name is told`, () => {
      assert.equal(masked([value], text), text);
      const [unmasked] = makeMasker([secret(value, "db/password")]).unmasked;
      assert.deepEqual([unmasked?.name, unmasked && unmasked.why !== ""], ["db/password", true]);
    });
  }

  test("shows what anybody knows of a key: the lines around it", () => {
    const log = masked([PEM], PEM);
    assert.match(log, /^-----BEGIN PRIVATE KEY-----\n(\*\*\*\n)+-----END PRIVATE KEY-----\n$/);
  });

  test("masks a value of 8 KiB in one line, and none that is longer: that one is told by name", () => {
    const long = Buffer.alloc(8 * 1024, "0123456789abcdef-").toString();
    assert.equal(masked([long], `a ${long} b`, 1000), "a *** b");
    assert.deepEqual(makeMasker([secret(`${long}x`, "db/dump")]).unmasked, [{ name: "db/dump", why: "it has more than 8 KiB" }]);
  });

  test("tells which values are too many together, and masks the others", () => {
    const values = Array.from({ length: 6 }, (_, index) => secret(Buffer.alloc(7.5 * 1024, `value-${index}.`), `big/${index}`));
    const masker = makeMasker([...values, secret("hunter22", "db/password")]);
    assert.deepEqual(
      masker.unmasked.map(({ name }) => name),
      ["big/4", "big/5"],
    );
    const masking = masker.begin();
    assert.equal(Buffer.concat([...masking.write(Buffer.from("hunter22 ")), ...masking.end()]).toString(), "*** ");
  });

  test("hides what base64(1) and openssl print of a long value, line by line", () => {
    const value = "correct horse battery staple, ".repeat(7);
    for (const command of [["base64"], ["base64", "-w", "0"], ["openssl", "base64"]] as const) {
      for (const input of [value, `${value}\n`]) {
        const [program, ...args] = command;
        const printed = execFileSync(program, args, { input }).toString();
        // The last characters may hold what came behind the value: no more than one byte of it can be read from them.
        assert.match(masked([value], printed), /^(\*\*\*[A-Za-z0-9+/=]{0,4}\n?)+$/, `${command.join(" ")}: ${printed}`);
      }
    }
  });

  test("keeps back only what may be the beginning of a secret, and nothing at the end of a line", () => {
    const masking = makeMasker([secret("hunter22"), secret("a much longer secret ".repeat(100))]).begin();
    const write = (text: string) => Buffer.concat(masking.write(Buffer.from(text))).toString();
    assert.equal(write("password: hun"), "password: ");
    assert.equal(write("ch\n"), "hunch\n");
    assert.equal(write("hunter2"), "");
    assert.equal(write("\n"), "hunter2\n");
    // Of a long one, 511 bytes at most.
    let out = 0;
    let written = 0;
    for (const piece of "a much longer secret ".repeat(99).match(/.{1,10}/g) ?? []) {
      written += piece.length;
      out += write(piece).length;
      assert.ok(written - out <= 511 || out <= 3, `${written} bytes came, ${out} are out`);
    }
  });

  test("streams share what was made of the values, and nothing else", () => {
    const masker = makeMasker([secret("hunter22")]);
    const [one, other] = [masker.begin(), masker.begin()];
    const text = (parts: Uint8Array[]) => Buffer.concat(parts).toString();
    assert.equal(text(one.write(Buffer.from("hunt"))), "");
    assert.equal(text(other.write(Buffer.from("er22 "))), "er22 ");
    assert.equal(text(one.write(Buffer.from("er22 "))), "*** ");
  });
});

/** A piece of a log, and what must be shown of it. */
interface Piece {
  bytes: Buffer;
  shown: Buffer;
}

/** None of the characters that any form of a value begins with. */
const FILLER = " ;[]{}<>\n";

/** In base64 a character goes where none of its bits is another's; what fills the last group up is nobody's. */
function base64Piece(before: Buffer, value: Buffer, behind: Buffer, url: boolean): Piece {
  const encoding = url ? "base64url" : "base64";
  const text = Buffer.concat([before, value, behind]).toString(encoding);
  let shown = "";
  let isIn = false;
  for (let at = 0; at < text.length; at += 1) {
    const [firstBit, lastBit] = [at * 6, at * 6 + 5];
    const isHidden = firstBit >= before.length * 8 && (behind.length === 0 || lastBit < (before.length + value.length) * 8);
    if (!isHidden) shown += text[at];
    else if (!isIn) shown += "***";
    isIn = isHidden;
  }
  return { bytes: Buffer.from(text), shown: Buffer.from(shown) };
}

describe("any log with secrets in it", () => {
  test("shows all but the secrets, wherever they stand, in whichever form and chunks", (context) => {
    // No two values have eight bytes in common by chance; with characters that each form writes in its own way.
    const value = fc.array(fc.constantFrom(..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@/+=%&?:é€"), {
      minLength: 14,
      maxLength: 900,
    });
    const piece = fc.oneof(
      fc.record({ form: fc.constant("filler"), text: fc.string({ unit: fc.constantFrom(...FILLER), maxLength: 30 }) }),
      fc.record({ form: fc.constantFrom("plain", "url", "query", "json"), which: fc.nat(), text: fc.constant("") }),
      fc.record({
        form: fc.constantFrom("base64", "base64url"),
        which: fc.nat(),
        // Letters: not all bits of their beginning are zeros, as those are that fill a group up.
        text: fc.string({ unit: fc.constantFrom(..."abcxyzABC"), maxLength: 5 }),
      }),
    );
    const log = fc.record({
      values: fc.array(value, { minLength: 1, maxLength: 12 }),
      pieces: fc.array(piece, { maxLength: 20 }),
      cuts: fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 8 }),
    });
    fc.assert(
      fc.property(log, ({ values, pieces, cuts }) => {
        const secrets = values.map((each, index) => Buffer.from(`${index}k${each.join("")}`));
        const written = pieces.map((each): Piece => {
          const filler = Buffer.from(each.form === "filler" ? each.text : " ");
          if (each.form === "filler") return { bytes: filler, shown: filler };
          const which = secrets[("which" in each ? each.which : 0) % secrets.length] as Buffer;
          const text = which.toString();
          const mask = Buffer.from("***");
          switch (each.form) {
            case "url":
              return { bytes: Buffer.from(encodeURIComponent(text)), shown: mask };
            case "query":
              return { bytes: Buffer.from(new URLSearchParams({ q: text }).toString()), shown: Buffer.from("q=***") };
            case "json":
              return { bytes: Buffer.from(JSON.stringify({ text })), shown: Buffer.from('{"text":"***"}') };
            case "base64":
            case "base64url":
              return base64Piece(Buffer.from(each.text), which, Buffer.from(each.text), each.form === "base64url");
            default:
              return { bytes: which, shown: mask };
          }
        });
        const separated = written.flatMap((each) => [each, { bytes: Buffer.from("\n"), shown: Buffer.from("\n") }]);
        const text = Buffer.concat(separated.map(({ bytes }) => bytes));
        const masking = makeMasker(secrets.map((each, index) => secret(each, `s/${index}`))).begin();
        const parts: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < text.length; turn += 1) {
          const size = cuts[turn % cuts.length] as number;
          parts.push(...masking.write(text.subarray(at, at + size)).map((part) => Buffer.from(part)));
          at += size;
        }
        parts.push(...masking.end());
        assert.equal(Buffer.concat(parts).toString(), Buffer.concat(separated.map(({ shown }) => shown)).toString());
      }),
      fuzzParameters(context, 300),
    );
  });

  test("without any of them comes out as it came, whatever bytes and chunks", (context) => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (chunks) => {
        const masking = makeMasker([secret("\u0001hunter22-hunter23-\u0002-no-chance")]).begin();
        const parts = chunks.flatMap((chunk) => masking.write(chunk).map((part) => Buffer.from(part)));
        assert.deepEqual(Buffer.concat([...parts, ...masking.end()]), Buffer.concat(chunks));
      }),
      fuzzParameters(context, 200),
    );
  });

  test("takes a time that grows with the log alone: nothing that a test prints makes it look again", () => {
    // Each byte begins the value anew, and a table of next states does not hold all of this many values.
    const values = Array.from({ length: 60 }, (_, index) => secret(`${"a".repeat(400)}${index}b`, `s/${index}`));
    const masking = makeMasker(values).begin();
    let steps = 0;
    const chunk = Buffer.alloc(100_000, "a");
    for (let round = 0; round < 20; round += 1) steps += masking.write(chunk).reduce((sum, { length }) => sum + length, 0);
    assert.equal(steps + masking.end().reduce((sum, { length }) => sum + length, 0), 20 * chunk.length);
  });
});
