import type { KubeObject } from "../../core/kubernetes/objects.ts";
import { type InvalidTask, readStoredTask, type StoredTask } from "../../core/test-task/invalid-task.ts";
import { decideServedFunctions, type ServedFunctions } from "../../core/test-task/served-functions.ts";
import { type TestTask, testTaskKey } from "../../core/test-task/test-task.ts";
import type { EventTarget } from "../ports.ts";

/** The TestTasks as they were read last, and who of them serves what. What belongs together is read together. */
export class KnownTasks {
  readonly #stored = new WeakMap<object, StoredTask>();
  #objects: readonly KubeObject[] = [];
  #valid: ReadonlyMap<string, TestTask> = new Map();
  #invalid: ReadonlyMap<string, InvalidTask> = new Map();
  #served: ServedFunctions = decideServedFunctions([]);

  /** Those that go are among the objects only. */
  read(objects: Iterable<KubeObject>): void {
    const valid = new Map<string, TestTask>();
    const invalid = new Map<string, InvalidTask>();
    this.#objects = [...objects];
    for (const object of this.#objects) {
      if (object.metadata.deletionTimestamp) continue;
      const { isValid, task } = this.stored(object);
      if (isValid) valid.set(testTaskKey(task), task);
      else invalid.set(testTaskKey(task), task);
    }
    this.#valid = valid;
    this.#invalid = invalid;
    this.#served = decideServedFunctions([...valid.values()], [...invalid.values()]);
  }

  /** What statuses are told of. */
  get objects(): readonly KubeObject[] {
    return this.#objects;
  }

  /** The valid ones, by `namespace/name`. */
  get valid(): ReadonlyMap<string, TestTask> {
    return this.#valid;
  }

  get served(): ServedFunctions {
    return this.#served;
  }

  /** All that is to stay registered for them: what they serve, and what the invalid ones name. */
  get functions(): string[] {
    return [...this.#served.byFunction.keys(), ...this.#served.refused.keys()];
  }

  find(functionName: string): TestTask | undefined {
    const served = this.#served.byFunction.get(functionName);
    return served ? this.#valid.get(served.task) : undefined;
  }

  /** Whom an Event about this task is for; undefined where it is not known. */
  eventTarget(taskKey: string): EventTarget | undefined {
    const metadata = (this.#valid.get(taskKey) ?? this.#invalid.get(taskKey))?.metadata;
    return metadata?.uid ? { namespace: metadata.namespace, name: metadata.name, uid: metadata.uid } : undefined;
  }

  /** Each object is read once. */
  stored(object: KubeObject): StoredTask {
    let stored = this.#stored.get(object);
    if (!stored) {
      stored = readStoredTask(object);
      this.#stored.set(object, stored);
    }
    return stored;
  }
}
