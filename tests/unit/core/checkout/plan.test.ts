import assert from "node:assert/strict";
import { test } from "node:test";
import { isRefName, projectDirectory } from "../../../../src/core/checkout/git-names.ts";
import { planCheckout } from "../../../../src/core/checkout/plan.ts";
import { CHECKOUT_EXIT_CODES, type CheckoutFault } from "../../../../src/core/checkout/problem.ts";
import type { CheckoutTerms } from "../../../../src/core/checkout/terms.ts";
import { cleanResultText } from "../../../../src/core/zuul/clean-result-text.ts";
import { parseParameters } from "../../../../src/core/zuul/parameters.ts";

const REF = `refs/zuul/master/Z${"0123456789abcdef".repeat(2)}`;
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const ZERO = "0".repeat(40);
const CHANGE = {
  ZUUL_URL: "http://merger.example/p",
  ZUUL_PROJECT: "org/project",
  ZUUL_BRANCH: "master",
  ZUUL_REF: REF,
  ZUUL_COMMIT: COMMIT,
};

function plan(values: object, terms: Partial<CheckoutTerms> = {}) {
  const parsed = parseParameters(Buffer.from(JSON.stringify(values)));
  assert.ok(parsed.ok);
  return planCheckout(parsed.parameters, { allowedUrls: [], ...terms });
}

/** Of ZUUL_PROJECT, or the n-th project of the plan. */
function ofProject(planned: ReturnType<typeof plan>, index = 0) {
  assert.ok(planned.ok, JSON.stringify(planned));
  const found = planned.plan.projects[index] ?? assert.fail(`there is no project ${index}`);
  const { url, publicUrl, host } = found.candidates[0]?.source ?? assert.fail("nothing to fetch");
  const refs = found.candidates.map(({ ref }) => ref ?? "the default branch");
  return { ...found, url, publicUrl, host, refs, commit: found.commit?.id };
}

/** Names of the repositories and refs, in order. */
function choices(planned: ReturnType<typeof plan>, index: number): string[] {
  return ofProject(planned, index).candidates.map(({ source, ref }) => `${source.host} ${ref ?? "the default branch"}`);
}

/** Where a merger's clone, and where any other repository has a branch of Gerrit's. */
function branchRefs(branch: string): string[] {
  return [`refs/remotes/origin/${branch}`, `refs/heads/${branch}`];
}

const PLANNED: [what: string, values: object, expected: Partial<ReturnType<typeof ofProject>>][] = [
  [
    "a change",
    CHANGE,
    {
      project: "org/project",
      url: "http://merger.example/p/org/project",
      publicUrl: "http://merger.example/p/org/project",
      host: "merger.example",
      refs: [REF],
      commit: COMMIT,
    },
  ],
  ["a URL that ends with slashes", { ...CHANGE, ZUUL_URL: "http://merger.example/p//" }, { url: "http://merger.example/p/org/project" }],
  [
    "a URL with credentials",
    { ...CHANGE, ZUUL_URL: "https://jo:s3cret@h" },
    { url: "https://jo:s3cret@h/org/project", publicUrl: "https://h/org/project" },
  ],
  [
    "an updated branch by its short name",
    { ...CHANGE, ZUUL_REF: "stable/x", ZUUL_COMMIT: COMMIT, ZUUL_NEWREV: COMMIT },
    { refs: ["refs/heads/stable/x"] },
  ],
  ["a pushed tag", { ...CHANGE, ZUUL_REF: "refs/tags/1.0" }, { refs: ["refs/tags/1.0"] }],
  ["a ref update without ZUUL_COMMIT", { ...CHANGE, ZUUL_COMMIT: null, ZUUL_NEWREV: COMMIT }, { commit: COMMIT }],
  ["a timer with a branch", { ...CHANGE, ZUUL_REF: undefined, ZUUL_COMMIT: undefined }, { refs: branchRefs("master") }],
  ["a timer", { ZUUL_URL: "git://h", ZUUL_PROJECT: "p" }, { refs: ["refs/remotes/origin/HEAD"], url: "git://h/p" }],
  [
    "null and empty values as unset",
    { ...CHANGE, ZUUL_REF: "", ZUUL_BRANCH: null, ZUUL_COMMIT: "" },
    { refs: ["refs/remotes/origin/HEAD"] },
  ],
  ["capitals in the commit", { ...CHANGE, ZUUL_COMMIT: COMMIT.toUpperCase() }, { commit: COMMIT }],
  ["a commit that ends with zeros", { ...CHANGE, ZUUL_COMMIT: `a${"0".repeat(39)}` }, { commit: `a${"0".repeat(39)}` }],
  ["a SHA-256 commit", { ...CHANGE, ZUUL_COMMIT: "a".repeat(64) }, { commit: "a".repeat(64) }],
];

for (const [what, values, expected] of PLANNED) {
  test(`plans ${what}`, () => {
    const planned = ofProject(plan(values));
    assert.deepEqual({ ...planned, ...expected }, planned);
  });
}

const ABSENT: [
  what: string,
  values: object,
  branch: string | undefined,
  fault: CheckoutFault,
  missing: RegExp,
  foreign?: [CheckoutFault, RegExp],
][] = [
  [
    "a change",
    CHANGE,
    undefined,
    "ref",
    /^refs\/zuul\/master\/Z\w+ does not exist in org\/project at merger\.example$/,
    ["configuration", /^ZUUL_COMMIT 0123456789ab is not in ZUUL_REF, look at the parameter-function/],
  ],
  [
    "an updated branch",
    { ...CHANGE, ZUUL_REF: "master", ZUUL_NEWREV: COMMIT },
    undefined,
    "network",
    /^the merger is behind, see its log - refs\/heads\/master of org\/project does not exist/,
    ["network", /^the merger is behind, see its log - refs\/heads\/master of org\/project lacks ZUUL_COMMIT 0123456789ab/],
  ],
  [
    "a branch that a parameter-function chose",
    { ...CHANGE, ZUUL_REF: "master" },
    undefined,
    "configuration",
    /^ZUUL_REF does not exist, look at the parameter-function - refs\/heads\/master of org\/project/,
    ["configuration", /^ZUUL_COMMIT 0123456789ab is not in ZUUL_REF, look at the parameter-function - refs\/heads\/master/],
  ],
  [
    "a timer",
    { ...CHANGE, ZUUL_REF: null, ZUUL_BRANCH: null, ZUUL_COMMIT: null },
    undefined,
    "configuration",
    /^a build without ZUUL_REF names no branch of org\/project - set checkout\.branch in the TestTask$/,
  ],
  [
    "a timer with the task's branch",
    { ...CHANGE, ZUUL_REF: null, ZUUL_COMMIT: null },
    "stable/x",
    "configuration",
    /^org\/project at merger\.example has no branch stable\/x - look at checkout\.branch$/,
  ],
];
for (const [what, values, branch, fault, missing, foreign] of ABSENT) {
  test(`says whose fault it is when what is to be checked out is not there: ${what}`, () => {
    const planned = plan(values, { branch });
    const found = ofProject(planned).missing;
    assert.ok(planned.ok);
    const strayed = planned.plan.projects[0].commit?.foreign;
    assert.equal(found.fault, fault);
    assert.equal(strayed?.fault, foreign?.[0]);
    for (const [message, told] of [
      [found.message, missing],
      ...(foreign && strayed ? [[strayed.message, foreign[1]] as const] : []),
    ] as const) {
      assert.match(cleanResultText(`CONFIG_ERROR - ${message}`).slice("CONFIG_ERROR - ".length), told, "reviewers read it whole");
    }
  });
}

test("plans no commit when none is given", () => {
  assert.equal(ofProject(plan({ ZUUL_URL: "git://h", ZUUL_PROJECT: "p" })).commit, undefined);
});

const KILO = REF.replace("master", "kilo");
const TERMS = { gitUrl: "https://gerrit.example", projects: ["org/lib"] };
/** `m` is the merger, `g` what checkout.gitUrl names. In the order of `zuul/lib/cloner.py` (Zuul 2.6), which refs of the second project count. */
const OTHERS: [what: string, values: object, terms: Partial<CheckoutTerms>, choices: string[]][] = [
  ["a change of master", CHANGE, {}, [`m ${REF}`, "g refs/heads/master", "g the default branch"]],
  [
    "a change of another branch",
    { ...CHANGE, ZUUL_BRANCH: "kilo", ZUUL_REF: KILO },
    {},
    [`m ${KILO}`, "g refs/heads/kilo", `m ${REF}`, "g refs/heads/master", "g the default branch"],
  ],
  [
    "a change, and the task's branch",
    CHANGE,
    { branch: "kilo" },
    [`m ${KILO}`, "g refs/heads/kilo", `m ${REF}`, "g refs/heads/master", "g the default branch"],
  ],
  [
    "a change, and the task's branch for the project",
    CHANGE,
    { branch: "x", projectBranches: { "org/lib": "kilo", "org/project": "y" } },
    [`m ${KILO}`, "g refs/heads/kilo", `m ${REF}`, "g refs/heads/master", "g the default branch"],
  ],
  [
    "a branch that looks like part of the ref",
    { ...CHANGE, ZUUL_BRANCH: "r", ZUUL_REF: KILO.replace("kilo", "r") },
    { branch: "kilo" },
    [`m ${KILO}`, "g refs/heads/kilo", `m ${REF}`, "g refs/heads/master", "g the default branch"],
  ],
  [
    "an updated branch",
    { ...CHANGE, ZUUL_BRANCH: null, ZUUL_REF: "kilo", ZUUL_NEWREV: COMMIT },
    {},
    ["g refs/heads/master", "g the default branch"],
  ],
  [
    "an updated branch, and the task's",
    { ...CHANGE, ZUUL_BRANCH: null, ZUUL_REF: "master", ZUUL_NEWREV: COMMIT },
    { branch: "kilo" },
    ["g refs/heads/kilo", "g refs/heads/master", "g the default branch"],
  ],
  ["a timer", { ...CHANGE, ZUUL_BRANCH: null, ZUUL_REF: null, ZUUL_COMMIT: null }, {}, ["g refs/heads/master", "g the default branch"]],
  [
    "what a parameter-function has sent to a branch",
    { ...CHANGE, ZUUL_REF: "kilo" },
    {},
    ["g refs/heads/kilo", "g refs/heads/master", "g the default branch"],
  ],
];
for (const [what, values, terms, expected] of OTHERS) {
  test(`another project beside ${what}`, () => {
    const planned = plan(values, { ...TERMS, ...terms });
    const hosts = { "merger.example": "m", "gerrit.example": "g" };
    const found = choices(planned, 1).map((choice) => choice.replace(/^\S+/, (host) => hosts[host as keyof typeof hosts]));
    assert.deepEqual(found, expected);
    const { project, commit, candidates } = ofProject(planned, 1);
    assert.deepEqual([project, commit], ["org/lib", undefined]);
    for (const { source, isOptional } of candidates) {
      assert.ok(source.publicUrl.endsWith("/org/lib"));
      assert.equal(isOptional, source.host === "merger.example", "the merger need not know it, Gerrit must");
    }
  });
}

const OWN: [what: string, values: object, terms: Partial<CheckoutTerms>, refs: string[]][] = [
  ["a change, and the task's branch is its own", CHANGE, { branch: "master" }, [REF]],
  ["a change, and the task has another branch", CHANGE, { branch: "kilo" }, [KILO, ...branchRefs("kilo"), REF, ...branchRefs("master")]],
  [
    "an updated branch, and the task has another",
    { ...CHANGE, ZUUL_REF: "master", ZUUL_NEWREV: COMMIT },
    { branch: "kilo" },
    ["refs/heads/master"],
  ],
  ["a tag, and the task has a branch", { ...CHANGE, ZUUL_REF: "refs/tags/1" }, { branch: "kilo" }, ["refs/tags/1"]],
  ["a timer, and the task has a branch", { ...CHANGE, ZUUL_REF: null, ZUUL_COMMIT: null }, { branch: "kilo" }, branchRefs("kilo")],
  ["a timer, and Gerrit is known", { ...CHANGE, ZUUL_REF: null, ZUUL_COMMIT: null }, { gitUrl: "https://g" }, ["refs/heads/master"]],
];
for (const [what, values, terms, refs] of OWN) {
  test(`the build's own project for ${what}`, () => assert.deepEqual(ofProject(plan(values, terms)).refs, refs));
}

test("no commit is asked for that is of another ref", () => {
  const { commit, refs } = ofProject(plan(CHANGE, { branch: "kilo" }));
  assert.deepEqual([commit, refs.indexOf(REF)], [COMMIT, 3]);
  assert.equal(planOf(CHANGE, { branch: "kilo" }).commit?.ref, REF);
});

function planOf(values: object, terms: Partial<CheckoutTerms>) {
  const planned = plan(values, terms);
  assert.ok(planned.ok);
  return planned.plan.projects[0];
}

test("a project is checked out once, the build's own first", () => {
  const planned = plan(CHANGE, { ...TERMS, projects: ["a", "org/project", "a"] });
  assert.deepEqual(planned.ok && planned.plan.projects.map(({ project }) => project), ["org/project", "a"]);
});

test("zeros as ZUUL_NEWREV are judged by what is there, at Gerrit where it is known", () => {
  const deleted = { ...CHANGE, ZUUL_REF: "x", ZUUL_COMMIT: ZERO, ZUUL_NEWREV: ZERO };
  for (const [terms, url] of [
    [{}, "http://merger.example/p/org/project"],
    [{ gitUrl: "https://gerrit.example" }, "https://gerrit.example/org/project"],
  ] as const) {
    const { candidates, deletion } = planOf(deleted, terms);
    assert.deepEqual(
      candidates.map(({ source, ref }) => [source.url, ref]),
      [[url, "refs/heads/x"]],
    );
    assert.deepEqual([deletion?.gone.fault, deletion?.there.fault], ["ref", "configuration"]);
    assert.match(deletion?.there.message ?? "", /^ZUUL_NEWREV is all zeros and refs\/heads\/x is there - enqueued without --newrev/);
  }
});

test("credentials need URLs that are allowed", () => {
  const refused = plan(CHANGE, { hasCredentials: true });
  assert.ok(!refused.ok && refused.problem.fault === "configuration");
  assert.match(refused.problem.message, /^credentials need checkout\.allowedUrls/);
  assert.ok(plan(CHANGE, { hasCredentials: true, allowedUrls: ["http://merger.example"] }).ok);
});

test("every URL must be allowed, also the task's", () => {
  const refused = plan(CHANGE, { ...TERMS, allowedUrls: ["http://merger.example"] });
  assert.ok(!refused.ok);
  assert.match(refused.problem.message, /^gerrit\.example is not allowed for checkouts/);
});

test("other projects need a place where their branches are", () => {
  const refused = plan({ ...CHANGE, ZUUL_REF: null, ZUUL_COMMIT: null }, { projects: ["org/lib"] });
  assert.ok(!refused.ok);
  assert.match(refused.problem.message, /^checkout\.gitUrl is missing - it says where the branches of org\/lib are$/);
});

const REFUSED: [what: string, values: object, fault: CheckoutFault, message: RegExp][] = [
  ["no ZUUL_URL", { ...CHANGE, ZUUL_URL: undefined }, "configuration", /ZUUL_URL is missing - set zuul_url/],
  ["a null ZUUL_URL", { ...CHANGE, ZUUL_URL: null }, "configuration", /ZUUL_URL is missing/],
  ["a ZUUL_URL that is a list", { ...CHANGE, ZUUL_URL: ["http://h"] }, "configuration", /ZUUL_URL is no text/],
  ["a file URL", { ...CHANGE, ZUUL_URL: "file:///srv" }, "configuration", /ZUUL_URL has the scheme 'file'/],
  ["an ext URL", { ...CHANGE, ZUUL_URL: "ext::sh -c id" }, "configuration", /ZUUL_URL is no URL/],
  ["a host that is an option", { ...CHANGE, ZUUL_URL: "ssh://-oProxyCommand=id/" }, "configuration", /ZUUL_URL has no valid host/],
  ["no project", { ...CHANGE, ZUUL_PROJECT: undefined }, "configuration", /ZUUL_PROJECT is missing/],
  ["a project that is a number", { ...CHANGE, ZUUL_PROJECT: 7 }, "configuration", /ZUUL_PROJECT is no text/],
  ["a project outside the workspace", { ...CHANGE, ZUUL_PROJECT: "../etc" }, "configuration", /ZUUL_PROJECT is '..\/etc'/],
  ["a ref with a colon", { ...CHANGE, ZUUL_REF: "refs/heads/a:refs/heads/b" }, "configuration", /ZUUL_REF is 'refs\/heads\/a:refs/],
  ["a ref that is an option", { ...CHANGE, ZUUL_REF: "--upload-pack=touch x" }, "configuration", /ZUUL_REF/],
  ["a ref that is an object", { ...CHANGE, ZUUL_REF: {} }, "configuration", /ZUUL_REF is no text/],
  ["a branch with a blank", { ...CHANGE, ZUUL_REF: null, ZUUL_BRANCH: "a b" }, "configuration", /ZUUL_BRANCH is 'a b'/],
  ["a commit that is a branch", { ...CHANGE, ZUUL_COMMIT: "master" }, "configuration", /ZUUL_COMMIT is 'master' - not the full id/],
  ["a short commit", { ...CHANGE, ZUUL_COMMIT: COMMIT.slice(0, 12) }, "configuration", /ZUUL_COMMIT/],
  ["a commit with an option behind it", { ...CHANGE, ZUUL_COMMIT: `${COMMIT}\n--x` }, "configuration", /ZUUL_COMMIT/],
  ["a commit of 41 digits", { ...CHANGE, ZUUL_COMMIT: `${COMMIT}0` }, "configuration", /ZUUL_COMMIT/],
  ["a commit of 63 digits", { ...CHANGE, ZUUL_COMMIT: "a".repeat(63) }, "configuration", /ZUUL_COMMIT/],
  ["a commit with a sign before it", { ...CHANGE, ZUUL_COMMIT: `^${COMMIT}` }, "configuration", /ZUUL_COMMIT/],
  [
    "a URL prefix that looks allowed, with a step up",
    { ...CHANGE, ZUUL_URL: "http://merger.example/p/.." },
    "configuration",
    /ZUUL_URL has a path/,
  ],
];

for (const [what, values, fault, message] of REFUSED) {
  test(`refuses ${what}`, () => {
    const planned = plan(values);
    assert.ok(!planned.ok, JSON.stringify(planned));
    assert.equal(planned.problem.fault, fault);
    assert.match(planned.problem.message, message);
    assert.ok(!cleanResultText(planned.problem.message).endsWith("..."), "the sentence fits a result text");
  });
}

test("fetches only from below an allowed URL, project included", () => {
  assert.ok(plan(CHANGE, { allowedUrls: ["https://other.example/", "http://merger.example/p/org/"] }).ok);
  for (const allowed of ["http://merger.example/p/or", "https://merger.example/", "http://merger.example.evil/"]) {
    const planned = plan(CHANGE, { allowedUrls: [allowed] });
    assert.ok(!planned.ok && planned.problem.fault === "configuration");
    assert.match(planned.problem.message, /merger\.example is not allowed for checkouts - see checkout\.allowedUrls/);
  }
});

test("names an allowed URL that is none", () => {
  const planned = plan(CHANGE, { allowedUrls: ["merger.example/p"] });
  assert.ok(!planned.ok && planned.problem.fault === "configuration");
  assert.match(planned.problem.message, /checkout\.allowedUrls .* 'merger\.example\/p' is no URL/);
});

for (const project of [
  "p",
  "openstack/nova",
  ".github",
  "...",
  ".gitignore",
  "x.git",
  "a/b/c.git",
  "All-Projects",
  "a+b~c@d=e,f",
  "a".repeat(255),
]) {
  test(`keeps the project ${project.slice(0, 20)} at its own name`, () => assert.equal(projectDirectory(project), project));
}

const HOSTILE_PROJECTS = [
  ..."|.|..|../x|a/../../x|a/..|/etc|a//b|a/|-x|a/-x|.git|a/.GIT/hooks|a b|a\\b|a\nb|a\0b|a:b|$(id)|`id`|a%2e%2e|ü|*|~/x/".split("|"),
  "a".repeat(256),
];
for (const project of HOSTILE_PROJECTS) {
  test(`has no directory for the project ${JSON.stringify(project.slice(0, 20))}`, () =>
    assert.equal(projectDirectory(project), undefined));
}

for (const ref of [
  "refs/heads/master",
  REF,
  "refs/changes/01/1/2",
  "refs/heads/-x",
  "refs/heads/ümläut",
  "refs/heads/a./b",
  "refs/heads/a@b",
  "refs/heads/a.lockx",
  `refs/heads/${"a".repeat(1013)}`,
]) {
  test(`takes the ref ${ref.slice(0, 60)}`, () => assert.ok(isRefName(ref)));
}

const BAD_REFS = [
  ..."|master|refs/|refs//a|refs/a/|refs/.a|refs/a.lock|refs/a.lock/b|refs/a..b|refs/a.|refs/a@{1}|refs/a^|refs/a~1|refs/a:b|refs/a?|refs/a*|refs/[a".split(
    "|",
  ),
  "refs/a\\b",
  "refs/a b",
  "refs/a\n",
  "refs/a\0",
  "refs/\ud800",
  "refs/a\x7f",
  "refs/heads/a/.b/c",
  "xrefs/heads/a",
  `refs/heads/${"a".repeat(1014)}`,
];
for (const ref of BAD_REFS) {
  test(`refuses the ref ${JSON.stringify(ref.slice(0, 20))}`, () => assert.ok(!isRefName(ref)));
}

test("ends with exit codes that are kept: pods of an older version are judged by them", () => {
  assert.deepEqual(CHECKOUT_EXIT_CODES, { ok: 0, network: 69, ref: 65, configuration: 78, stopped: 143 });
});
