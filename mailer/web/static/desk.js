"use strict";

// What the desk does more where scripts run. Every page works without.

// A part of a page that asks for itself every two seconds: not while nobody looks, and only for what has changed. Browsers
// keep nothing of the desk, so the tag of the last answer is kept here.
const tags = new Map();

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.requestConfig.verb === "get") {
    event.preventDefault();
  }
});

document.addEventListener("htmx:configRequest", (event) => {
  const tag = tags.get(event.detail.path);
  if (event.detail.verb === "get" && tag) {
    event.detail.headers["If-None-Match"] = tag;
  }
});

document.addEventListener("htmx:afterRequest", (event) => {
  const tag = event.detail.xhr?.getResponseHeader("ETag");
  if (tag) {
    tags.set(event.detail.requestConfig.path, tag);
  }
});

// Whoever is in such a part with the keyboard stays where they are when it is shown anew: at the same link or button, never
// at another that has taken its place.
const REACHED = "a[href], button, summary";
const what = (each) => each.getAttribute("href") ?? each.closest("form")?.getAttribute("action") ?? each.textContent;
let left = null;

document.addEventListener("htmx:beforeSwap", (event) => {
  const focused = document.activeElement;
  left = event.detail.target.contains(focused) && focused.matches(REACHED) ? what(focused) : null;
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (left !== null) {
    [...event.detail.elt.querySelectorAll(REACHED)].find((each) => what(each) === left)?.focus();
    left = null;
  }
});

// What was typed is there again after the back button, or where the network failed: in this tab and for its owner only,
// until it has arrived, the tab is closed, or they sign out. Secrets and hidden fields are not kept.
const owner = document.body.dataset.account;
const place = (index) => `${owner} ${location.pathname} ${index}`;
const SENT = "sent";

function fields(form) {
  return [...form.elements].filter((field) => ["text", "textarea"].includes(field.type) && field.name && field.name !== "code");
}

function hasArrived() {
  const [visit] = performance.getEntriesByType("navigation");
  return visit?.type !== "back_forward" && !document.querySelector(".error-summary, [data-failed]");
}

if (hasArrived() && sessionStorage.getItem(SENT)) {
  sessionStorage.removeItem(sessionStorage.getItem(SENT));
}
sessionStorage.removeItem(SENT);

// What saves itself (write.js) is kept by the server, and newer there.
const forms = owner ? document.querySelectorAll('main form[method="post"]:not([data-saves])') : [];
for (const [index, form] of [...forms].entries()) {
  const before = JSON.parse(sessionStorage.getItem(place(index)) ?? "{}");
  for (const field of fields(form)) {
    if (field.name in before && !field.value) {
      field.value = before[field.name];
    }
  }
  form.addEventListener("input", () => {
    const typed = fields(form).map((field) => [field.name, field.value]);
    sessionStorage.setItem(place(index), JSON.stringify(Object.fromEntries(typed)));
  });
  // A second press while the first is on its way is none: the answer comes to the first.
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    sessionStorage.setItem(SENT, place(index));
  });
}

addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
  }
});

// Whoever has not chosen a time zone yet most likely lives in the one that their browser knows: it stands first.
for (const field of document.querySelectorAll("select[name=zone]")) {
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const own = [...field.options].find((each) => each.value === zone || each.dataset.also?.split(" ").includes(zone));
  if (own) {
    const isChosen = own.selected || (field.value === "UTC" && field.dataset.guess);
    const first = document.createElement("optgroup");
    first.label = field.dataset.own;
    first.append(own);
    field.prepend(first);
    own.selected = isChosen;
  }
}

// A time for somebody whose zone we do not know yet, by their own clock.
for (const time of document.querySelectorAll("time[data-here]")) {
  const parts = { day: "numeric", month: "short", year: "numeric", hour: "numeric", minute: "2-digit", timeZoneName: "short" };
  const language = document.documentElement.lang === "en" ? "en-001" : document.documentElement.lang;
  const here = new Intl.DateTimeFormat(language, parts).format(new Date(time.dateTime));
  time.textContent = here.replace(/GMT(?=[+-])/, "UTC");
}

// Only a script can print from a page; by hand one prints as ever.
for (const button of document.querySelectorAll("button[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// A menu closes when one leaves it.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) {
      menu.open = false;
    }
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = document.activeElement?.closest("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  }
});

// A link to something that is closed opens it.
function unfold() {
  const shown = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (shown instanceof HTMLDetailsElement) {
    shown.open = true;
  }
}

addEventListener("hashchange", unfold);
unfold();
