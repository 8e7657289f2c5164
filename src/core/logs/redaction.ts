import type { Json, JsonMember } from "../zuul/python-json.ts";
import { MASK } from "./masking.ts";

/** Names of parameters that hold secrets; `SWIFT_*` are the signed forms with which Zuul lets a build upload. */
const SECRET_NAME = /^SWIFT_|TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIAL|_KEY$/i;

/** `scheme://user:password@`, wherever it stands in a text. */
const URL_PASSWORD = /\b([a-z][a-z0-9+.-]{0,20}:\/\/[^\s/?#:@]*:)[^\s/?#@]+@/gi;

/** `https://token@`: on its own it is a login. Users of ssh are not. */
const URL_TOKEN = /\b(https?:\/\/)[^\s/?#:@]+@/gi;

/** The parameters as they may be shown to anybody: what looks like a secret by its name is `***`, and so are passwords in URLs. */
export function redactParameters(values: ReadonlyMap<string, JsonMember>): Map<string, Json> {
  return new Map([...values].map(([name, { value }]) => [name, redact(name, value)] as const));
}

/** Whether the value of a parameter of this name is not shown at all. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** Without the passwords and tokens of URLs in it. */
export function redactText(text: string): string {
  return text.replace(URL_PASSWORD, `$1${MASK}@`).replace(URL_TOKEN, `$1${MASK}@`);
}

function redact(name: string, value: Json): Json {
  if (isSecretName(name)) return MASK;
  if (typeof value === "string") return redactText(value);
  if (Array.isArray(value)) return value.map((item: Json) => redact("", item));
  if (value instanceof Map) return new Map([...value].map(([member, inner]: [string, Json]) => [member, redact(member, inner)] as const));
  return value;
}
