/** The name of the test's container in the pods that are made here. */
export const TEST_CONTAINER = "test";

/** The container whose exit code is the build's: `test`, or the first. */
export function judgedContainer<T extends { name: string }>({ containers }: { containers: readonly T[] }): T | undefined {
  return containers.find(({ name }) => name === TEST_CONTAINER) ?? containers[0];
}
