"use strict";

// Whom a draft is for: what is typed stands beside a box at once, and the number of people follows. Without this script the
// button "Count" does both.

const form = document.getElementById("audience");
const shown = document.getElementById("size");
const said = document.getElementById("size-said");
const WAIT_MS = 200;
const SEPARATORS = /[,;،؛]/;
let asked = null;
let waiting = null;

// As an address can hold it: every country there is would be too long as one field each.
function address() {
  const said = new Map();
  for (const [name, value] of new FormData(form)) {
    const [key, ...rest] = name.split(":");
    const text = rest.length ? rest.join(":") : value;
    if (key !== "form_token" && text) {
      said.set(key, [...(said.get(key) ?? []), text]);
    }
  }
  const query = new URLSearchParams([...said].map(([key, texts]) => [key, texts.join("|")]));
  return `${form.dataset.size}?${query}`;
}

async function count() {
  asked?.abort();
  asked = new AbortController();
  const { signal } = asked;
  shown.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address(), { signal });
    if (!answer.ok && answer.status !== 403) {
      throw new Error(answer.status);
    }
    const open = [...shown.querySelectorAll("details")].map((each) => each.open);
    const answered = await answer.text();
    const focused = [...shown.querySelectorAll("summary")].indexOf(document.activeElement);
    shown.innerHTML = answered;
    // Whoever is at a table with the keyboard stays there.
    shown.querySelectorAll("summary")[focused]?.focus();
    // Whoever has opened a table keeps it open.
    shown.querySelectorAll("details").forEach((each, index) => {
      each.open = open[index] ?? each.open;
    });
  } catch (error) {
    if (error.name === "AbortError") {
      return;
    }
    const failed = document.createElement("p");
    failed.className = "error";
    failed.textContent = form.dataset.failed;
    shown.replaceChildren(failed);
  }
  shown.removeAttribute("aria-busy");
  // Whoever listens hears the number, and not all tables.
  said.textContent = shown.querySelector(".error, .size")?.textContent.trim() ?? "";
}

function countSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(count, WAIT_MS);
}

// What stands in the list of what there is is one thing, whatever is in its name.
function parts(field) {
  const known = [...(field.list?.options ?? [])].some((each) => each.value === field.value.trim());
  return known ? [field.value.trim()] : field.value.split(SEPARATORS).map((part) => part.trim()).filter(Boolean);
}

function tick(field) {
  const ticked = field.parentElement.querySelector(".ticked");
  for (const part of parts(field)) {
    const each = document.getElementById("ticked").content.cloneNode(true);
    each.querySelector("input").name = `${field.name}:${part}`;
    each.querySelector("bdi").textContent = part;
    ticked.append(each);
  }
  field.value = "";
  field.dispatchEvent(new Event("input", { bubbles: true })); // so that it is not kept as if it stood there still
}

if (form) {
  form.addEventListener("change", (event) => {
    if (event.target.matches(".pick > input") && event.target.value.trim()) {
      tick(event.target);
    }
    countSoon();
  });
  // Enter adds what was typed; it neither saves nor leaves the page.
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches(".pick > input")) {
      event.preventDefault();
      if (event.target.value.trim()) {
        tick(event.target);
        countSoon();
      }
    }
    if (event.key === "Enter" && event.target.id === "name") {
      event.preventDefault();
      form.requestSubmit(document.getElementById("keep"));
    }
  });
}
