import { readFileSync } from "node:fs";

/** The version in package.json, which lies one folder above this file in a checkout and in an installed package. */
export const VERSION: string = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version;
