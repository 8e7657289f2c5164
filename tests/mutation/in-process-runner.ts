/**
 * Stryker's test runner for `node:test`: loads the test files once and runs what they registered for one mutation after another, where a
 * process for each file and mutation would take seconds. https://stryker-mutator.io/docs/stryker-js/plugins/ (TestRunner)
 */
import { registerHooks } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { coerceError } from "../../src/runtime/errors.ts";
import { collectUnits, type Unit } from "./test-registry.ts";

/** How often each mutation was reached, by id. */
type Hits = Record<string, number>;

/** What the mutated code reads and writes (`INSTRUMENTER_CONSTANTS` of @stryker-mutator/api). */
interface Namespace {
  activeMutant?: string | undefined;
  currentTestId?: string | undefined;
  mutantCoverage?: { static: Hits; perTest: Record<string, Hits> };
  hitCount?: number | undefined;
  hitLimit?: number | undefined;
}

interface MutantRun {
  activeMutant: { id: string };
  testFilter?: string[];
  hitLimit?: number;
  mutantActivation: "static" | "runtime";
}

const namespace: Namespace = {};
Object.assign(globalThis, { __stryker__: namespace });

class InProcessRunner {
  static readonly inject = ["options"] as const;
  readonly #files: readonly string[];
  readonly #ignoreStatic: boolean;
  #units: Map<string, Unit> | undefined;
  #stray: Error | undefined;

  constructor({ inProcess, ignoreStatic }: { inProcess: { testFiles: readonly string[] }; ignoreStatic: boolean }) {
    this.#files = inProcess.testFiles;
    this.#ignoreStatic = ignoreStatic;
    for (const event of ["uncaughtException", "unhandledRejection"]) {
      process.on(event, (thrown) => {
        this.#stray ??= coerceError(thrown);
      });
    }
  }

  /** Whoever wants code anew that was run as a file was loaded has to start another process. */
  capabilities(): object {
    return { reloadEnvironment: false };
  }

  async dryRun(): Promise<object> {
    const tests = [];
    for (const [id, unit] of await this.#load()) {
      namespace.currentTestId = id;
      const startedMs = performance.now();
      const failure = await this.#run(unit);
      const ofTest = { id, name: id, timeSpentMs: performance.now() - startedMs };
      tests.push(failure ? { ...ofTest, status: 1, failureMessage: failure.stack ?? failure.message } : { ...ofTest, status: 0 });
    }
    namespace.currentTestId = undefined;
    const { mutantCoverage } = namespace;
    if (mutantCoverage && this.#ignoreStatic) forgetLoading(mutantCoverage);
    return { status: "complete", tests, mutantCoverage };
  }

  async mutantRun({ activeMutant, testFilter, hitLimit, mutantActivation }: MutantRun): Promise<object> {
    if (mutantActivation === "static") namespace.activeMutant = activeMutant.id;
    let units: ReadonlyMap<string, Unit>;
    try {
      units = await this.#load();
    } catch (thrown) {
      return { status: "error", errorMessage: coerceError(thrown).message };
    }
    Object.assign(namespace, { activeMutant: activeMutant.id, hitCount: hitLimit === undefined ? undefined : 0, hitLimit });
    try {
      return await this.#tryUnits(units, testFilter ?? [...units.keys()]);
    } finally {
      namespace.activeMutant = undefined;
    }
  }

  async #tryUnits(units: ReadonlyMap<string, Unit>, ids: readonly string[]): Promise<object> {
    let nrOfTests = 0;
    for (const id of ids) {
      const unit = units.get(id);
      if (!unit) continue;
      nrOfTests += 1;
      const failure = await this.#run(unit);
      const { hitCount = 0, hitLimit = Number.POSITIVE_INFINITY } = namespace;
      if (hitCount > hitLimit) return { status: "timeout", reason: `it was reached ${hitCount} times` };
      if (failure) return { status: "killed", killedBy: [id], failureMessage: failure.message, nrOfTests };
    }
    return { status: "survived", nrOfTests };
  }

  async #run(unit: Unit): Promise<Error | undefined> {
    this.#stray = undefined;
    try {
      await unit.run();
      return this.#stray;
    } catch (thrown) {
      return coerceError(thrown);
    }
  }

  async #load(): Promise<ReadonlyMap<string, Unit>> {
    if (this.#units) return this.#units;
    const registry = new URL("test-registry.ts", import.meta.url).href;
    registerHooks({
      resolve: (specifier, context, next) => (specifier === "node:test" ? { url: registry, shortCircuit: true } : next(specifier, context)),
    });
    const units = new Map<string, Unit>();
    for (const file of this.#files) {
      for (const unit of await collectUnits(file, () => import(pathToFileURL(resolve(file)).href))) {
        units.set(`${units.size} ${file}: ${unit.name}`, unit);
      }
    }
    this.#units = units;
    return units;
  }
}

/** What tests reach as well is not tried in a process of its own because it was also reached while files were loaded. */
function forgetLoading({ static: loading, perTest }: NonNullable<Namespace["mutantCoverage"]>): void {
  for (const hits of Object.values(perTest)) for (const id of Object.keys(hits)) delete loading[id];
}

export const strykerPlugins = [{ kind: "TestRunner", name: "in-process", injectableClass: InProcessRunner }];
