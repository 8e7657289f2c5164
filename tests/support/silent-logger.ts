import type { Logger } from "../../src/runtime/logger.ts";

/** For tests of what is done, not of what is said. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
