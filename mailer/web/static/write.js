"use strict";

// A text that is written at the desk saves itself, while somebody types, two seconds at the latest after what they typed. It
// says in words whether all is saved. Without scripts there is the button.
const SOON = 2000; // milliseconds
const AGAIN = 10000; // after the connection has failed
const PATIENCE = 20000; // with an answer
const KEPT_ALIVE = 60000; // bytes that a browser still sends once a page is left
const writing = document.getElementById("writing");
const saying = document.getElementById("saving");
const warning = document.getElementById("saving-problem");
const parts = [...writing.querySelectorAll("[data-part]")];
const values = () => parts.map((part) => part.value);
const now = () => JSON.stringify(values());
const isRefused = writing.dataset.saves !== "yes"; // this page shows what was not saved, and why

// Whatever this page saves follows on what it saved before, though an answer was lost.
const page = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// What was typed is kept in this tab until the server has answered that it is saved, with the version that was changed. Where
// somebody else has changed it, that is none: then both are shown again.
const KEPT = `${document.body.dataset.account} ${location.pathname} writing`;

function keep() {
  const base = isRefused ? "0" : writing.elements.base.value;
  store(JSON.stringify({ text: values(), base }));
}

function store(text) {
  try {
    if (text === null) {
      sessionStorage.removeItem(KEPT);
    } else {
      sessionStorage.setItem(KEPT, text);
    }
  } catch {
    // There is no room, or the browser keeps nothing: the question on the way out remains.
  }
}

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT));
  } catch {
    return null;
  }
}

// As the server keeps it.
function normal(text) {
  const words = (line) => line.trim().split(/\s+/).join(" ");
  const lines = (all) => all.replace(/\r\n?/g, "\n").trimEnd();
  return JSON.stringify(parts.map((part, index) => (part.rows ? lines : words)(text[index])));
}

// Puts what this tab has and no page of the server shows into the form again; whether there was something.
function restore() {
  const before = kept();
  if (before === null || isRefused || writing.dataset.typed) {
    return false;
  }
  if (normal(before.text) === normal(values())) {
    store(null);
    return false;
  }
  for (const [index, part] of parts.entries()) {
    part.value = before.text[index];
  }
  writing.elements.base.value = before.base;
  return true;
}

const isRestored = restore();
let saved = isRestored || isRefused || writing.dataset.typed ? null : now(); // null: the server has not taken it
let hasFailed = false;
let timer = null;
let underway = null;
let isLeft = false; // for the form itself, which is sent

// That all is well is not said aloud every two seconds.
function say(words, isWrong = false) {
  saying.textContent = isWrong ? "" : words;
  if (warning.textContent !== (isWrong ? words : "")) {
    warning.textContent = isWrong ? words : "";
  }
}

// What keeps the text from going out, at its field, as the page itself shows it.
function show(problems) {
  for (const part of parts) {
    const id = `${part.name}-problem`;
    const words = problems[part.name]; // HTML: a part of it may be in another language
    let shown = document.getElementById(id);
    if (words && !shown) {
      shown = document.createElement("p");
      shown.className = "error";
      shown.id = id;
      part.before(shown);
    }
    if (shown && !words) {
      shown.remove();
    } else if (shown) {
      const told = new DOMParser().parseFromString(words, "text/html").body;
      if (shown.innerHTML !== told.innerHTML) {
        shown.replaceChildren(...told.childNodes);
      }
    }
    part.toggleAttribute("aria-invalid", Boolean(words));
    if (words) {
      part.setAttribute("aria-invalid", "true");
    }
    const described = [document.getElementById(`${part.name}-hint`)?.id, words && id].filter(Boolean);
    part.setAttribute("aria-describedby", described.join(" "));
    if (described.length === 0) {
      part.removeAttribute("aria-describedby");
    }
  }
}

async function send() {
  const sent = now();
  writing.elements.turn.value = Number(writing.elements.turn.value) + 1;
  const answer = await fetch(writing.action, {
    method: "POST",
    body: new FormData(writing),
    headers: { Accept: "application/json" },
    keepalive: new Blob([sent]).size < KEPT_ALIVE,
    signal: AbortSignal.timeout(PATIENCE),
  });
  const isJson = answer.headers.get("Content-Type")?.startsWith("application/json");
  if (!isJson && answer.status >= 500) {
    throw new TypeError("the server does not answer");
  }
  if (!isJson) {
    writing.dataset.saves = "no";
    say(writing.dataset.out, true);
    return;
  }
  const said = await answer.json();
  if (!answer.ok) {
    writing.dataset.saves = "no";
    say(`${said.refused ?? ""} ${writing.dataset.refused}`, true);
    return;
  }
  saved = sent;
  hasFailed = false;
  writing.elements.base.value = said.version;
  writing.elements.seen.value = said.seen;
  if (now() === saved) {
    store(null);
  } else {
    keep();
  }
  show(said.problems);
  say(now() === saved ? said.saved : writing.dataset.unsaved);
}

function save() {
  clearTimeout(timer);
  timer = null;
  if (writing.dataset.saves !== "yes" || isLeft || now() === saved) {
    return;
  }
  if (underway) {
    later(SOON);
    return;
  }
  say(writing.dataset.saving);
  underway = send()
    .then(() => {
      if (now() !== saved) {
        later(SOON);
      }
    })
    .catch(() => {
      hasFailed = true;
      say(writing.dataset.failed, true);
      later(AGAIN);
    })
    .finally(() => {
      underway = null;
    });
}

function later(milliseconds) {
  timer ??= setTimeout(save, milliseconds);
}

writing.elements.window.value = page;
writing.addEventListener("input", () => {
  keep();
  if (writing.dataset.saves === "yes") {
    say(writing.dataset.unsaved);
    later(SOON);
  }
});

// On the way out, what was typed in the last moment goes along.
addEventListener("pagehide", () => {
  if (writing.dataset.saves === "yes" && !isLeft && now() !== saved) {
    send().catch(() => {});
  }
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    save();
  }
});

// What a browser would not send on the way out, or the server does not take, is lost only if its author says so.
addEventListener("beforeunload", (event) => {
  const isLarge = new Blob([now()]).size >= KEPT_ALIVE;
  if (!isLeft && now() !== saved && (isLarge || hasFailed || writing.dataset.saves !== "yes")) {
    event.preventDefault();
  }
});

writing.addEventListener("submit", (event) => {
  if (isLeft) {
    event.preventDefault();
    return;
  }
  if (writing.dataset.saves === "yes" && (hasFailed || !navigator.onLine)) {
    event.preventDefault(); // the browser would leave the page for one that says only that
    hasFailed = true;
    save();
    return;
  }
  isLeft = true;
  clearTimeout(timer);
  writing.elements.turn.value = Number(writing.elements.turn.value) + 1;
});

addEventListener("pageshow", () => {
  isLeft = false;
});

for (const way of document.querySelectorAll("[data-leaves]")) {
  way.addEventListener("click", () => {
    isLeft = true;
    store(null);
  });
}

if (saved === null) {
  say(writing.dataset.unsaved);
  if (isRefused) {
    keep();
  } else if (isRestored) {
    save(); // before a word more is typed: the save of the page before may have arrived meanwhile, and says the same
  } else {
    later(SOON);
  }
}

// --- Markdown, fields and conditions ---------------------------------------------------------------------------------

// Where somebody wrote last; what the toolbar does is done to the text itself.
let body = writing.elements.body;
for (const part of parts) {
  part.addEventListener("focus", () => {
    body = part;
  });
}

// By the editor's own way of typing, so that it can be undone with the keyboard.
function type(words) {
  body.focus();
  if (!document.execCommand("insertText", false, words)) {
    body.setRangeText(words, body.selectionStart, body.selectionEnd, "end");
    body.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }
}

function chosen() {
  return body.value.slice(body.selectionStart, body.selectionEnd);
}

function select(start, length) {
  body.setSelectionRange(start, start + length);
}

function around(mark) {
  const start = body.selectionStart;
  const words = chosen();
  type(`${mark}${words}${mark}`);
  select(start + mark.length, words.length);
}

function before(mark) {
  const start = body.value.lastIndexOf("\n", body.selectionStart - 1) + 1;
  select(start, body.selectionEnd - start);
  type(chosen().replace(/^/gm, mark));
}

function link(address) {
  const start = body.selectionStart;
  const words = chosen();
  type(`[${words}](${address})`);
  select(words ? start + words.length + 3 : start + 1, words ? address.length : 0);
}

// What a condition shows stands where the dots are.
function insert(code) {
  const start = body.selectionStart;
  const words = chosen();
  type(words ? code.replace("…", words) : code);
  const dots = words ? -1 : code.indexOf("…");
  if (dots >= 0) {
    select(start + dots, 1);
  }
}

for (const bar of document.querySelectorAll(".toolbar")) {
  bar.hidden = false;
}

for (const button of document.querySelectorAll(".toolbar button, [data-insert]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const { around: mark, before: line, link: address, insert: code } = button.dataset;
    body = code ? body : writing.elements.body;
    if (mark) {
      around(mark);
    } else if (line) {
      before(line);
    } else if (address) {
      link(address);
    } else {
      insert(code);
    }
  });
}
