import type { Logger } from "../../runtime/logger.ts";
import { isNotToBeSeen } from "../client/kube-error.ts";

interface ServedNamespacesOptions {
  /** undefined: every namespace, as one: what watches tell of, they tell of all. */
  readonly namespaces: readonly string[] | undefined;
  readonly logger: Logger;
}

/** Stands for all namespaces, where they are followed by one watch. */
const ALL = "";

/** What one watch has come to in one namespace. */
type Standing = { kind: "waiting" | "refused"; why: string } | { kind: "listed" };

/**
 * Which of the served namespaces are known: every watch that counts has listed its objects there once. Where the API server refuses that
 * (no right, no such namespace or resource), the other namespaces need not wait: what is in a namespace that is not known is left alone,
 * as nobody can say which of its builds run already. What is known stays known through later trouble.
 */
export class ServedNamespaces {
  readonly #namespaces: readonly string[];
  readonly #logger: Logger;
  /** Resource -> namespace -> how it stands there. */
  readonly #standings = new Map<string, Map<string, Standing>>();
  readonly #known = new Set<string>();
  readonly #listeners = new Set<(namespace: string | undefined) => void>();
  readonly #begun = Promise.withResolvers<void>();

  constructor({ namespaces, logger }: ServedNamespacesOptions) {
    this.#namespaces = [...new Set(namespaces ?? [ALL])];
    this.#logger = logger;
    this.#begun.promise.catch(() => {});
  }

  /** A watch of this resource counts. Returns what it must be told. */
  expect(resource: string): { onListed(namespace?: string): void; onFailure(namespace: string | undefined, error: Error): void } {
    const standings = new Map<string, Standing>(this.#namespaces.map((name) => [name, { kind: "waiting", why: "no answer yet" }]));
    this.#standings.set(resource, standings);
    return {
      onListed: (namespace = ALL) => {
        standings.set(namespace, { kind: "listed" });
        this.#look(namespace);
      },
      onFailure: (namespace = ALL, error) => {
        const before = standings.get(namespace);
        if (before?.kind === "listed") return;
        const isRefused = isNotToBeSeen(error);
        standings.set(namespace, { kind: isRefused ? "refused" : "waiting", why: error.message });
        if (isRefused && before?.kind !== "refused") this.#warn(resource, namespace, error);
        this.#look(namespace);
      },
    };
  }

  isKnown(namespace: string): boolean {
    return this.#known.has(namespace) || this.#known.has(ALL);
  }

  get areAllKnown(): boolean {
    return this.#known.size === this.#namespaces.length;
  }

  /** Told each namespace as it becomes known, once; undefined: all are. */
  onKnown(listener: (namespace: string | undefined) => void): void {
    this.#listeners.add(listener);
  }

  /** Resolves when at least one namespace is known and every other one is so, too, or refused. Rejects with what `close` was given. */
  begun(): Promise<void> {
    return this.#begun.promise;
  }

  close(error: Error): void {
    this.#begun.reject(error);
  }

  /** A line for each namespace that is not served yet, or for all as one, and why. */
  report(): string[] {
    return this.#namespaces
      .filter((namespace) => !this.isKnown(namespace))
      .map((namespace) => {
        const reasons = [...this.#standings].flatMap(([resource, standings]) => {
          const standing = standings.get(namespace);
          return standing === undefined || standing.kind === "listed" ? [] : [`${resource}: ${standing.why}`];
        });
        return `${namespace === ALL ? "no namespace is" : `namespace ${namespace} is not`} served yet - ${reasons.join("; ")}`;
      });
  }

  #look(namespace: string): void {
    const standings = [...this.#standings.values()];
    if (!this.isKnown(namespace) && standings.every((each) => each.get(namespace)?.kind === "listed")) {
      this.#known.add(namespace);
      for (const listener of this.#listeners) listener(namespace === ALL ? undefined : namespace);
    }
    const isSettled = (name: string) => this.isKnown(name) || standings.some((each) => each.get(name)?.kind === "refused");
    if (this.#known.size > 0 && this.#namespaces.every(isSettled)) this.#begun.resolve();
  }

  #warn(resource: string, namespace: string, error: Error): void {
    const fields = { namespace: namespace === ALL ? "*" : namespace, resource, error: error.message };
    if (namespace === ALL) {
      const remedy = "grant the rights of the chart's ClusterRole, or name namespaces in the configuration";
      this.#logger.error({ ...fields, remedy }, "serves nothing, as it may not read all namespaces");
    } else {
      const remedy = "grant the rights of the chart's Role there, or take the namespace out of the configuration";
      this.#logger.error({ ...fields, remedy }, "serves nothing in a namespace that it may not read");
    }
  }
}
