"use strict";

// Only a script can copy a text, so its buttons are hidden until this has run. By hand one selects and copies as ever.
for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  const status = button.nextElementSibling;
  button.hidden = false;
  button.addEventListener("click", async () => {
    status.textContent = "";
    if (await copy(source)) {
      status.textContent = button.dataset.copied;
    }
  });
}

async function copy(source) {
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    return true;
  } catch {
    // An old browser, or one that was told not to.
    getSelection().selectAllChildren(source);
    source.select?.();
    return document.execCommand("copy");
  }
}
