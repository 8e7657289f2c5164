import type { ProcessorTimes } from "./scale-processes.ts";

export interface ScaleReport {
  /** From the first create until the container of the last bare Job was seen terminated; the mean of the runs. */
  bareSeconds: number;
  /** From the first SUBMIT_JOB until the last WORK_COMPLETE, for as many builds; the mean of the runs. */
  buildsSeconds: number;
  /** Of all seconds of the builds to all of the bare Jobs: a machine that is slower for a minute is so for a half of a pair, and the next time for the other. */
  ratio: number;
  /** Calls of the operator to the API server by verb, from its start to its end, divided by the builds. */
  requestsPerBuild: Record<string, number>;
  /** Resident memory of the operator: before any build, at most while all of a burst were live, after all builds. In MB of a million bytes. */
  rssMb: { idle: number; live1000: number; after10000: number };
  /** How late the operator's event loop was for a timer, while builds ran. */
  eventLoopP99Ms: number;
}

export interface ScaleRun {
  seconds: number;
  /** Processor time that each program used meanwhile, in seconds. */
  processors: ProcessorTimes;
}

/** Two runs, one right after the other. */
interface ScalePair {
  bare: ScaleRun;
  builds: ScaleRun;
}

/** Calls of one kind, as the operator counts them. */
interface ApiCalls {
  verb: string;
  resource: string;
  count: number;
  /** In all. */
  seconds: number;
}

export interface ScaleFacts {
  pairs: readonly ScalePair[];
  calls: readonly ApiCalls[];
  /** In one run. */
  atOnce: number;
  /** In all. */
  builds: number;
  rssMb: ScaleReport["rssMb"];
  eventLoopP99Ms: number;
}

/** Good up to `ratio`; up to `ratioExplained` the cost of each request must be told. Memory may grow by `growth` after the burst. */
const LIMITS = { ratio: 1.1, ratioExplained: 1.15, requests: 5, rssMb: 300, growth: 1.1, eventLoopP99Ms: 50 };

/** `pairs`: one at least. */
export function summarizeScale({ pairs, calls, builds, rssMb, eventLoopP99Ms }: ScaleFacts): ScaleReport {
  const mean = (of: (pair: ScalePair) => ScaleRun) => pairs.reduce((sum, pair) => sum + of(pair).seconds, 0) / pairs.length;
  const [bareSeconds, buildsSeconds] = [mean(({ bare }) => bare), mean(({ builds: run }) => run)];
  const requestsPerBuild: Record<string, number> = {};
  for (const { verb, count } of calls) requestsPerBuild[verb] = (requestsPerBuild[verb] ?? 0) + count / builds;
  for (const [verb, count] of Object.entries(requestsPerBuild)) requestsPerBuild[verb] = Number(count.toFixed(3));
  const { idle, live1000, after10000 } = rssMb;
  return {
    bareSeconds: Number(bareSeconds.toFixed(2)),
    buildsSeconds: Number(buildsSeconds.toFixed(2)),
    ratio: Number((buildsSeconds / bareSeconds).toFixed(3)),
    requestsPerBuild,
    rssMb: { idle: round(idle), live1000: round(live1000), after10000: round(after10000) },
    eventLoopP99Ms: round(eventLoopP99Ms),
  };
}

/** The limits that are not kept, a sentence each; a ratio that must be explained is none of them. */
export function findMissedLimits({ ratio, requestsPerBuild, rssMb, eventLoopP99Ms }: ScaleReport): string[] {
  const requests = sumOf(requestsPerBuild);
  const checks: [isKept: boolean, sentence: string][] = [
    [ratio <= LIMITS.ratioExplained, `builds took ${ratio} times as long as bare Jobs; ${LIMITS.ratioExplained} is the limit`],
    [requests <= LIMITS.requests, `${requests.toFixed(2)} requests for a build; ${LIMITS.requests} is the limit`],
    [rssMb.live1000 <= LIMITS.rssMb, `${rssMb.live1000} MB with all builds live; ${LIMITS.rssMb} is the limit`],
    [
      rssMb.after10000 <= rssMb.live1000 * LIMITS.growth,
      `memory grew from ${rssMb.live1000} MB with all builds live to ${rssMb.after10000} MB at the end; ${LIMITS.growth} times is the limit`,
    ],
    [eventLoopP99Ms < LIMITS.eventLoopP99Ms, `the event loop was ${eventLoopP99Ms} ms late at p99; ${LIMITS.eventLoopP99Ms} is the limit`],
  ];
  return checks.filter(([isKept]) => !isKept).map(([, sentence]) => sentence);
}

/** For people: each pair, what used the processor, and what each request costs. */
export function renderScale(report: ScaleReport, { pairs, calls, atOnce, builds }: ScaleFacts): string {
  const { ratio, requestsPerBuild, rssMb, eventLoopP99Ms } = report;
  const verdict = ratio <= LIMITS.ratio ? "met" : ratio <= LIMITS.ratioExplained ? "above it: see what each request costs" : "MISSED";
  const missed = findMissedLimits(report);
  return [
    `${atOnce} at once   bare Jobs, s   builds, s   ratio`,
    ...pairs.map(({ bare, builds: run }, index) => renderRow(`pair ${index + 1}`, bare.seconds, run.seconds)),
    `ratio ${ratio} (at most ${LIMITS.ratio} is wanted: ${verdict})`,
    `processor time for one, ms   bare   build   ratio`,
    ...renderProcessors(pairs, atOnce),
    `requests for a build, over ${builds} builds: ${sumOf(requestsPerBuild).toFixed(2)} (at most ${LIMITS.requests})`,
    ...calls
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.count - a.count)
      .map(({ verb, resource, count, seconds }) => {
        const name = `${verb} ${resource || "(no resource)"}`.padEnd(28);
        return `  ${name} ${(count / builds).toFixed(3).padStart(8)} for a build, ${((1000 * seconds) / count).toFixed(1).padStart(8)} ms each`;
      }),
    `memory: idle ${rssMb.idle} MB, all live ${rssMb.live1000} MB (at most ${LIMITS.rssMb}), at the end ${rssMb.after10000} MB`,
    `event loop: ${eventLoopP99Ms} ms late at p99 (below ${LIMITS.eventLoopP99Ms})`,
    missed.length === 0 ? "every limit is kept" : `MISSED: ${missed.join("; ")}`,
  ].join("\n");
}

/** The mean over all pairs, by program, and all of them together. */
function renderProcessors(pairs: readonly ScalePair[], atOnce: number): string[] {
  const mean = (times: ProcessorTimes[], name: string) =>
    (1000 * times.reduce((sum, each) => sum + (each[name] ?? 0), 0)) / times.length / atOnce;
  const bares = pairs.map(({ bare }) => withTotal(bare.processors));
  const runs = pairs.map(({ builds }) => withTotal(builds.processors));
  const names = new Set([...bares, ...runs].flatMap((times) => Object.keys(times)));
  return [...names].map((name) => renderRow(name, mean(bares, name), mean(runs, name)));
}

function withTotal(times: ProcessorTimes): ProcessorTimes {
  return { ...times, "in all": sumOf(times) };
}

function renderRow(name: string, bare: number, build: number): string {
  const ratio = bare > 0 ? (build / bare).toFixed(3) : "";
  return `  ${name.padEnd(24)} ${bare.toFixed(2).padStart(8)} ${build.toFixed(2).padStart(8)} ${ratio.padStart(8)}`;
}

const CALLS_METRIC = /^turbo_hipster_api_calls_total\{(.*)\} (\S+)$/gm;
const SECONDS_METRIC = /^turbo_hipster_api_call_seconds_sum\{(.*)\} (\S+)$/gm;

/** Reads the calls by verb and resource, of every outcome, from the text of the operator's `/metrics`. */
export function parseApiCalls(metrics: string): ApiCalls[] {
  const calls = new Map<string, ApiCalls>();
  const add = (labels: string, count: number, seconds: number) => {
    const label = (name: string) => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? "";
    const [verb, resource] = [label("verb"), label("resource")];
    const known = calls.get(`${verb} ${resource}`) ?? { verb, resource, count: 0, seconds: 0 };
    calls.set(`${verb} ${resource}`, { verb, resource, count: known.count + count, seconds: known.seconds + seconds });
  };
  for (const [, labels = "", value] of metrics.matchAll(CALLS_METRIC)) add(labels, Number(value), 0);
  for (const [, labels = "", value] of metrics.matchAll(SECONDS_METRIC)) add(labels, 0, Number(value));
  return [...calls.values()];
}

function sumOf(values: Readonly<Record<string, number>>): number {
  return Object.values(values).reduce((sum, value) => sum + value, 0);
}

function round(value: number): number {
  return Number(value.toFixed(1));
}
