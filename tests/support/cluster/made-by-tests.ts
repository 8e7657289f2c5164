const KEY = "app.kubernetes.io/managed-by";
const VALUE = "turbo-hipster-tests";

/** Labels of what tests make beside what is in namespaces: whoever lends a cluster gets it back without, however a run ended. */
export const MADE_BY_TESTS: Readonly<Record<string, string>> = { [KEY]: VALUE };

/** The same as kubectl takes it, to label and to select. */
export const MADE_BY_TESTS_SELECTOR = `${KEY}=${VALUE}`;

/** What bears that label, in the order in which it should go; not every version of Kubernetes knows all. */
export const KINDS_MADE_BY_TESTS: readonly string[] = [
  "mutatingadmissionpolicybindings",
  "mutatingadmissionpolicies",
  "validatingadmissionpolicybindings",
  "validatingadmissionpolicies",
  "customresourcedefinitions",
  "namespaces",
];
