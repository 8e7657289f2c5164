// Asks the operator whether it is ready and registered, again and again for a while: new pods take a moment to be.
const url = new URL("/readyz", process.env.INTERNAL_URL);
const deadline = Date.now() + Number(process.env.PATIENCE_MS);

async function ask() {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5000) });
    const text = await answer.text();
    // A line for the replica, then one for each Gearman server, and for each namespace that is not served.
    const [, ...lines] = text.trim().split("\n");
    return { text, isGood: answer.ok && lines.every((line) => line.endsWith(" registered")) };
  } catch (error) {
    return { text: `no answer: ${error.cause?.message ?? error.message}`, isGood: false };
  }
}

for (;;) {
  const { text, isGood } = await ask();
  console.log(`${url}:\n${text}`);
  if (isGood) break;
  if (Date.now() > deadline) {
    console.log(`Look at the operator's log, at what keeps pods from ${url.host} (policies, names), and at the Gearman servers.`);
    process.exit(1);
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
}
