import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { before, test } from "node:test";
import { promisify } from "node:util";
import { parameterEnvironment, parseParameters } from "../../../../src/core/zuul/parameters.ts";
import { parseJson, renderPythonJson } from "../../../../src/core/zuul/python-json.ts";
import { ensurePythonVenv } from "../../../support/zuul/python-venv.ts";

/**
 * Zuul's launcher calls `json.dumps(params)` on what a parameter-function made. Here Python makes such values, and says of each what it wrote
 * for it; a line is [payload, {name: [text of a string or null, JSON]}].
 */
const SCRIPT = `
import json, random, sys
random.seed(int(sys.argv[1]))

def number():
    return random.choice([
        lambda: random.randint(-10, 10), lambda: random.getrandbits(80), lambda: float(random.randint(0, 9)),
        lambda: random.uniform(-1, 1) * 10 ** random.randint(-300, 300), lambda: random.choice([float('nan'), float('inf'), -float('inf'), -0.0]),
    ])()

def text():
    return ''.join(random.choice(['a', 'B', '_', ' ', '"', '\\\\', '/', '\\n', '\\x7f', '\\u00e9', '\\ud83d', '\\U0001f600', '$']) for _ in range(random.randint(0, 8)))

def value(depth):
    kind = random.randint(0, 7 if depth else 5)
    if kind < 3: return number()
    if kind == 3: return random.choice([None, True, False])
    if kind < 6: return text()
    if kind == 6: return [value(depth - 1) for _ in range(random.randint(0, 3))]
    return {text(): value(depth - 1) for _ in range(random.randint(0, 3))}

for _ in range(int(sys.argv[2])):
    params = {'P%d' % n: value(3) for n in range(random.randint(0, 8))}
    said = {name: [v if isinstance(v, str) else None, json.dumps(v)] for name, v in params.items()}
    print(json.dumps([json.dumps(params), said]))
`;
const RUNS = 1000;
const seed = Number(process.env.TH_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
let lines: [payload: string, said: Record<string, [string | null, string]>][];

before(async () => {
  const { python } = await ensurePythonVenv();
  const { stdout } = await promisify(execFile)(python, ["-c", SCRIPT, `${seed}`, `${RUNS}`], { maxBuffer: 64 * 1024 * 1024 });
  lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
});

test("what Python writes for a parameter is what arrives in the environment", (t) => {
  t.diagnostic(`again with TH_FUZZ_SEED=${seed}`);
  assert.equal(lines.length, RUNS);
  for (const [payload, said] of lines) {
    const parsed = parseParameters(Buffer.from(payload));
    assert.ok(parsed.ok, payload);
    const { variables, omitted } = parameterEnvironment(parsed.parameters);
    const expected = Object.entries(said).map(([name, [text, json]]) => ({ name, value: text ?? json }));
    const left = new Set(omitted.map(({ name }) => name));
    assert.deepEqual(
      variables,
      expected.filter(({ name }) => !left.has(name)),
    );
    for (const { name, value } of expected) assert.equal(left.has(name), !value.isWellFormed(), payload);
  }
});

test("what is read of Python's is written as Python wrote it", () => {
  for (const [payload] of lines) assert.equal(renderPythonJson(parseJson(payload, 10)), payload);
});
