/** Values by key, of which those of one group are found without a look at the others. */
export class Grouped<T> {
  readonly #groups = new Map<string, Map<string, T>>();
  readonly #groupOfKey = new Map<string, string>();

  of(group: string): T[] {
    return [...(this.#groups.get(group)?.values() ?? [])];
  }

  /** The group that the key's value is in. */
  groupOf(key: string): string | undefined {
    return this.#groupOfKey.get(key);
  }

  /** In place of the key's value before, wherever that was. */
  put(key: string, group: string, value: T): void {
    if (this.#groupOfKey.get(key) !== group) this.remove(key);
    const values = this.#groups.get(group) ?? new Map<string, T>();
    this.#groups.set(group, values.set(key, value));
    this.#groupOfKey.set(key, group);
  }

  remove(key: string): void {
    const group = this.#groupOfKey.get(key);
    if (group === undefined) return;
    this.#groupOfKey.delete(key);
    const values = this.#groups.get(group);
    values?.delete(key);
    if (values?.size === 0) this.#groups.delete(group);
  }

  clear(): void {
    this.#groups.clear();
    this.#groupOfKey.clear();
  }
}
