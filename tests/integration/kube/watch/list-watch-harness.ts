import type { KubeObject } from "../../../../src/core/kubernetes/objects.ts";
import { type KubeClient, loadKubeClient } from "../../../../src/kube/client/kube-client.ts";
import { CONFIG_MAPS } from "../../../../src/kube/client/resource.ts";
import { type ListWatch, type ListWatchOptions, makeListWatch } from "../../../../src/kube/watch/list-watch.ts";
import type { Logger } from "../../../../src/runtime/logger.ts";
import { type FakeKube, type FakeKubeOptions, startFakeKube } from "../../../support/fake-kube/fake-kube.ts";

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

export interface ListWatchHarness extends AsyncDisposable {
  readonly fake: FakeKube;
  readonly client: KubeClient;
  readonly listWatch: ListWatch<ConfigMap>;
  /** Every change told so far: `+ci/a`, `-ci/a`. */
  readonly changes: string[];
  readonly logged: string[];
  /** Waits until the cache has the object as wanted (undefined: has it no more); no longer than 10 s. */
  until(name: string, isWanted: (object: ConfigMap | undefined) => boolean): Promise<void>;
  put(name: string, data?: Record<string, string>): void;
  countCalls(verb: string): number;
}

/** Waits fit for a test; everything slow is switched off unless the test asks for it. */
const QUICK = { idleMs: 60_000, watchSeconds: 3_600, relistMs: 3_600_000, backoffBaseMs: 2, backoffMaxMs: 10 };

export type HarnessOptions = Partial<Omit<ListWatchOptions<ConfigMap>, "client">> & {
  readonly fake?: FakeKubeOptions;
  readonly deadlineMs?: number;
};

/** A list-watch of ConfigMaps in namespace `ci` against the fake; not started yet. */
export async function makeHarness({
  fake: fakeOptions,
  deadlineMs = 10_000,
  onChange,
  times,
  ...options
}: HarnessOptions = {}): Promise<ListWatchHarness> {
  const fake = await startFakeKube(fakeOptions);
  const client = await loadKubeClient({ kubeconfig: fake.kubeconfig, deadlineMs });
  const changes: string[] = [];
  const logged: string[] = [];
  const waiting = new Set<() => void>();
  const listWatch = makeListWatch<ConfigMap>({
    client,
    resource: CONFIG_MAPS,
    namespaces: ["ci"],
    logger: recordingLogger(logged),
    ...options,
    times: { ...QUICK, ...times },
    onChange(key, object) {
      changes.push(`${object === undefined ? "-" : "+"}${key}`);
      for (const look of waiting) look();
      onChange?.(key, object);
    },
  });
  return {
    fake,
    client,
    listWatch,
    changes,
    logged,
    until(name, isWanted) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const look = () => isWanted(listWatch.get("ci", name)) && resolve();
      const timer = setTimeout(() => reject(new Error(`${name} did not become as wanted; changes: ${changes}; log: ${logged}`)), 10_000);
      waiting.add(look);
      look();
      return promise.finally(() => {
        clearTimeout(timer);
        waiting.delete(look);
      });
    },
    put(name, data = {}) {
      if (fake.find(CONFIG_MAPS, "ci", name) === undefined) fake.create(CONFIG_MAPS, "ci", { metadata: { name }, data });
      else fake.patch(CONFIG_MAPS, "ci", name, { data });
    },
    countCalls: (verb) => fake.calls.filter((call) => call.verb === verb).length,
    async [Symbol.asyncDispose]() {
      await listWatch.stop();
      await client.close();
      await fake.disconnected();
      await fake[Symbol.asyncDispose]();
    },
  };
}

function recordingLogger(lines: string[]): Logger {
  const write = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: write, info: write, warn: write, error: write, child: () => logger };
  return logger;
}
