// The only script of the pages. Without it all but the live end of a log works; with it nothing is ever made into HTML: elements are built,
// and texts set.

/** Lines that a page holds at once; those farthest from where one reads go first. */
const MAX_LINES = 3000;
const STEP_LINES = 500;
/** Beyond the last line that was printed. */
const STATE_MS = 5000;

const make = (name, className, text) => {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};

const sayBytes = (bytes) =>
  bytes < 1000 ? `${bytes} bytes` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${Math.round(bytes / 1e6)} MB`;

async function readJson(url) {
  const response = await fetch(url, { headers: { accept: "application/json" } });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? `the server answers ${response.status}`);
  return answer;
}

/** The lines of one log: some of them, which stand together. */
class Log {
  constructor(section) {
    const { api, path, position, live, total } = section.dataset;
    this.section = section;
    this.api = api;
    this.path = path;
    this.position = position;
    this.isLive = live === "yes";
    this.total = Number(total);
    this.lines = section.querySelector("[data-lines]");
    this.status = section.querySelector("[data-status]");
    this.shown = section.querySelector("[data-shown]");
    this.found = section.querySelector("[data-found]");
    this.follow = section.querySelector("[data-follow] input");
    this.isAtEnd = this.last >= this.total;
    this.busy = false;
    // In place of the links to other pages, which are for those without a script.
    section.querySelector("[data-pager]")?.remove();
    this.before = this.button("Earlier lines", () => this.earlier());
    this.after = this.button("Later lines", () => this.later());
    this.lines.before(this.before);
    this.lines.after(this.after);
    this.tellShown();
    this.listen();
    void this.goToHash().then(() => this.isLive && this.tail());
  }

  get first() {
    return Number(this.lines.querySelector("[data-line]")?.dataset.line ?? 1);
  }

  get last() {
    const all = this.lines.querySelectorAll("[data-line]");
    return Number(all[all.length - 1]?.dataset.line ?? 0);
  }

  say(text) {
    this.status.textContent = text;
  }

  element({ line, pieces, isError, omitted }) {
    const row = make("div", isError ? "line is-error" : "line");
    row.id = `L${line}`;
    row.dataset.line = line;
    const number = make("a", "number", line);
    number.href = `${this.path}?line=${line}#L${line}`;
    number.tabIndex = -1;
    number.setAttribute("aria-label", `Line ${line}${isError ? ", looks like an error" : ""}`);
    const code = make("code");
    for (const [text, style] of pieces) code.append(style ? make("i", style, text) : text);
    row.append(number, code);
    if (omitted) row.append(make("span", "omitted", `and ${sayBytes(omitted)} more: see the raw log`));
    return row;
  }

  noteElement({ kind, text, offset }) {
    const note = make("p", `note is-${kind}`, text);
    note.setAttribute("role", "note");
    note.dataset.note = offset;
    return note;
  }

  rows({ lines, notes }) {
    const left = [...notes];
    const rows = [];
    for (const line of lines) {
      while (left.length > 0 && left[0].before <= line.line) rows.push(this.noteElement(left.shift()));
      rows.push(this.element(line));
    }
    return [...rows, ...left.map((note) => this.noteElement(note))];
  }

  /** What comes at the end. A line that was open is replaced, a note that is there already is not said again. */
  append(part) {
    for (const row of this.rows(part)) {
      const { line, note } = row.dataset;
      const old = line ? document.getElementById(row.id) : this.lines.querySelector(`[data-note="${Number(note)}"]`);
      if (old && this.lines.contains(old)) {
        if (line) old.replaceWith(row);
      } else this.lines.append(row);
    }
    this.mark(false);
  }

  trim(side) {
    const all = this.lines.querySelectorAll("[data-line]");
    for (let excess = all.length - MAX_LINES; excess > 0; excess -= 1) {
      const child = side === "start" ? this.lines.firstElementChild : this.lines.lastElementChild;
      child.remove();
    }
    if (side === "end" && all.length > MAX_LINES) this.isAtEnd = false;
  }

  tellShown() {
    this.before.hidden = this.first <= 1;
    this.after.hidden = this.isAtEnd;
    this.shown.textContent = this.last === 0 ? "nothing yet" : `lines ${this.first} to ${this.last} of ${Math.max(this.total, this.last)}`;
  }

  button(text, deed) {
    const button = make("button", "more", text);
    button.type = "button";
    button.addEventListener("click", () => this.busy || deed());
    return button;
  }

  async load(from, count) {
    this.busy = true;
    try {
      const part = await readJson(`${this.api}?from=${from}&count=${count}`);
      this.total = Math.max(this.total, part.total);
      return part;
    } catch (error) {
      this.say(`The log could not be read: ${error.message}. Load the page again.`);
      return { lines: [], notes: [] };
    } finally {
      this.busy = false;
    }
  }

  async earlier() {
    const before = this.first;
    const from = Math.max(1, before - STEP_LINES);
    const part = await this.load(from, before - from);
    const height = document.documentElement.scrollHeight;
    this.lines.prepend(...this.rows(part));
    window.scrollBy(0, document.documentElement.scrollHeight - height);
    this.trim("end");
    this.mark(false);
    this.tellShown();
    // What had the focus may have gone.
    if (this.before.hidden) this.lines.focus({ preventScroll: true });
  }

  async later() {
    const part = await this.load(this.last + 1, STEP_LINES);
    if (this.last + part.lines.length >= this.total || part.lines.length === 0) this.isAtEnd = true;
    const top = this.lines.firstElementChild;
    this.append(part);
    const height = document.documentElement.scrollHeight;
    this.trim("start");
    if (this.lines.firstElementChild !== top) window.scrollBy(0, document.documentElement.scrollHeight - height);
    this.tellShown();
  }

  /** Shows these lines and nothing that does not stand beside them. */
  async show(line) {
    if (!document.getElementById(`L${line}`)) {
      const part = await this.load(Math.max(1, line - 100), STEP_LINES);
      if (part.lines.length === 0) {
        this.say(`There is no line ${line}.`);
        return;
      }
      this.lines.replaceChildren(...this.rows(part));
      this.isAtEnd = this.last >= this.total;
      this.tellShown();
    }
    this.mark(true);
  }

  /** `#L120` or `#L120-L140`. */
  get marked() {
    const match = /^#L(\d{1,12})(?:-L?(\d{1,12}))?$/.exec(location.hash);
    if (!match) return undefined;
    const [a, b] = [Number(match[1]), Number(match[2] ?? match[1])];
    return { from: Math.min(a, b), to: Math.max(a, b) };
  }

  mark(isToScroll) {
    for (const row of this.lines.querySelectorAll(".is-marked")) row.classList.remove("is-marked");
    if (!this.marked) return;
    const { from, to } = this.marked;
    for (let line = from; line <= Math.min(to, from + MAX_LINES); line += 1) {
      document.getElementById(`L${line}`)?.classList.add("is-marked");
    }
    if (isToScroll) document.getElementById(`L${from}`)?.scrollIntoView({ block: "center" });
  }

  async goToHash() {
    if (this.marked) await this.show(this.marked.from);
  }

  goTo(line) {
    const hash = `#L${line}`;
    if (location.hash === hash) return this.goToHash();
    location.hash = hash;
  }

  async goToEnd() {
    const from = Math.max(1, this.total - STEP_LINES + 1);
    const part = await this.load(from, STEP_LINES * 2);
    this.lines.replaceChildren(...this.rows(part));
    this.isAtEnd = true;
    if (part.position) this.position = part.position;
    this.lines.lastElementChild?.scrollIntoView({ block: "end" });
    this.tellShown();
  }

  listen() {
    const on = (selector, event, deed) =>
      this.section.querySelector(selector)?.addEventListener(event, (happening) => {
        happening.preventDefault();
        deed(happening.currentTarget);
      });
    window.addEventListener("hashchange", () => this.goToHash());
    on("[data-go]", "submit", (form) => {
      const [from, to] = new FormData(form).get("line").split("-");
      void this.goTo(to ? `${Number(from)}-L${Number(to)}` : Number(from));
    });
    on("[data-search]", "submit", (form) => this.search(new FormData(form).get("q")));
    on("[data-first-error]", "click", () => this.firstError());
    on("[data-begin]", "click", () => this.goTo(1));
    on("[data-end]", "click", () => this.goToEnd());
    this.lines.addEventListener("click", (event) => {
      const number = event.target.closest("a.number");
      if (!number || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const line = Number(number.textContent);
      const start = event.shiftKey ? this.marked?.from : undefined;
      history.pushState(null, "", start === undefined ? `#L${line}` : `#L${Math.min(start, line)}-L${Math.max(start, line)}`);
      this.mark(false);
    });
  }

  async firstError() {
    this.say("Looking for the first error...");
    try {
      let line = null;
      let from;
      do ({ line, next: from } = await readJson(`${this.api}/first-error${from ? `?from=${from}` : ""}`));
      while (line === null && from);
      if (line === null) this.say("No line of this log looks like an error.");
      else {
        this.say(`Line ${line} is the first that looks like an error.`);
        await this.goTo(line);
      }
    } catch (error) {
      this.say(`That could not be found out: ${error.message}`);
    }
  }

  /** A long log is searched in parts; the list ends where it has been filled. */
  async search(query) {
    const list = make("ol");
    list.tabIndex = 0;
    list.setAttribute("aria-label", `Lines with ${query}`);
    this.found.hidden = false;
    this.found.replaceChildren(list);
    let count = 0;
    let from = "";
    this.say(`Searching for ${query}...`);
    try {
      do {
        const { lines, next } = await readJson(`${this.api}/search?q=${encodeURIComponent(query)}${from && `&from=${from}`}`);
        for (const { line, pieces } of lines) {
          const item = make("li");
          const link = make("a", "", `Line ${line}`);
          link.href = `#L${line}`;
          item.append(
            link,
            " ",
            make(
              "code",
              "",
              pieces
                .map(([text]) => text)
                .join("")
                .slice(0, 300),
            ),
          );
          list.append(item);
        }
        count += lines.length;
        from = next;
      } while (from && count < 200);
      this.found.hidden = count === 0;
      this.say(
        count === 0 ? `No line has ${query}.` : `${count}${from ? " or more" : ""} ${count === 1 ? "line has" : "lines have"} ${query}.`,
      );
    } catch (error) {
      this.say(`The search failed: ${error.message}`);
    }
  }

  /** The browser opens the stream again by itself when it is cut, with the id of the last event that it got. */
  tail() {
    if (this.follow) this.follow.closest("label").hidden = false;
    const source = new EventSource(`${this.api}/stream?position=${encodeURIComponent(this.position)}`);
    source.addEventListener("lines", ({ data }) => this.grow(JSON.parse(data)));
    source.addEventListener("skipped", ({ data }) => this.skip(JSON.parse(data).line));
    source.addEventListener("end", () => {
      source.close();
      this.isLive = false;
      this.section.dataset.live = "no";
      if (this.follow) this.follow.closest("label").hidden = true;
      this.say("The log has ended.");
    });
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) return;
      this.say("The live log is not to be had just now: it is tried again.");
      setTimeout(() => this.isLive && this.tail(), 10_000);
    });
    source.addEventListener("open", () => this.say(""));
    source.addEventListener("lines", ({ lastEventId }) => {
      this.position = lastEventId;
    });
  }

  grow(part) {
    this.total = Math.max(this.total, part.lines.at(-1)?.line ?? 0);
    if (this.isAtEnd) {
      // Who has scrolled up reads there, and is left where he is.
      const isSeen = this.lines.getBoundingClientRect().bottom <= window.innerHeight + 80;
      this.append(part);
      this.trim("start");
      if (isSeen && this.follow?.checked) this.lines.lastElementChild?.scrollIntoView({ block: "end" });
    }
    this.tellShown();
  }

  /** More came than anybody could read: what lies between is loaded when one goes there. */
  skip(line) {
    if (!this.isAtEnd) return;
    this.lines.replaceChildren();
    this.total = line;
  }
}

/** Where a build stands is asked again and again; only when that changes the page says so. */
function watchBuild(section) {
  const { build, standing } = section.dataset;
  const news = section.querySelector("[data-news]");
  let tag = "";
  const ask = async () => {
    if (!document.hidden) {
      try {
        const response = await fetch(`../api/v1/builds/${build}`, tag ? { headers: { "if-none-match": tag } } : {});
        tag = response.headers.get("etag") ?? tag;
        const report = response.ok ? await response.json() : undefined;
        if (report?.verdict) {
          const reload = make("a", "button", "Show what it means");
          reload.href = location.pathname;
          news.replaceChildren(`The build has ended: ${report.verdict.result ?? "no result"}. `, reload);
          return;
        }
        if (report?.logs.length > 0 && !document.querySelector("section.log[data-api]")) {
          // Whoever reads something here is left to it.
          if (!document.querySelector("details[open]")) return location.reload();
          const reload = make("a", "button", "Show its log");
          reload.href = location.pathname;
          news.replaceChildren("It has begun. ", reload);
        } else if (report && report.standing !== standing) news.textContent = report.standing === "running" ? "Its test runs now." : "";
      } catch {
        // It is asked again.
      }
    }
    setTimeout(ask, STATE_MS);
  };
  setTimeout(ask, STATE_MS);
}

for (const section of document.querySelectorAll("section.log[data-api]")) new Log(section);
for (const section of document.querySelectorAll("[data-build]")) {
  if (section.dataset.standing !== "ended" && location.protocol.startsWith("http")) watchBuild(section);
}
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.textContent = "Copied";
  });
}
