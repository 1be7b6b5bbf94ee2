// Files that are chosen or dropped are sent one by one, each with its progress; the list says what became of each. Without script the form sends them.
for (const panel of document.querySelectorAll("[data-uploads-to]")) {
  const { uploadsTo, then, limit, limitText } = panel.dataset;
  const form = document.querySelector("form[data-uploads]");
  const atOnce = 3;
  const waiting = [];
  const rows = [];
  let busy = 0;

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text) made.textContent = text;
    return made;
  };
  const summary = element("p", "uploads-sum");
  summary.setAttribute("role", "status");
  const list = element("ul", "uploads-list");

  const tell = () => {
    const good = rows.filter((row) => row.done).length;
    const open = rows.filter((row) => row.open).length;
    if (busy + waiting.length > 0) {
      summary.textContent = say("Uploading: {1} of {2} done.", good, rows.length);
      return;
    }
    if (good === rows.length && rows.length > 0) {
      location.assign(rows.length === 1 && rows[0].href && form ? rows[0].href : `${then}?note=uploaded`);
      return;
    }
    const link = element("a", "", say("Show the collection"));
    link.href = then;
    const became = open > 0 ? say("{1} of {2} uploaded, {3} to decide.", good, rows.length, open) : say("{1} of {2} uploaded.", good, rows.length);
    summary.replaceChildren(became, " ", link);
  };
  const finish = (row, state, text, choices) => {
    row.done = state === "stored" || state === "unchanged" || state === "skipped";
    row.open = state === "exists";
    row.item.className = row.done ? "ok" : "bad";
    row.bar.hidden = true;
    row.state.textContent = text;
    row.buttons.replaceChildren(...choices.map(([label, act]) => {
      const button = element("button", "button small", label);
      button.type = "button";
      button.append(element("span", "hidden", `: ${row.name}`));
      button.addEventListener("click", act);
      return button;
    }));
  };
  const again = (row, replace) => {
    row.replace = replace;
    row.buttons.replaceChildren();
    waiting.push(row);
    next();
  };
  const answered = (row, request) => {
    let answer = null;
    try { [answer] = JSON.parse(request.responseText); } catch { /* it is a page */ }
    if (!answer) {
      let why = request.status ? say("The server answered {1}.", request.status) : say("The server answered nothing.");
      if (request.status === 401) why = say("Your session has ended. Sign in in another tab, and try again.");
      finish(row, "failed", why, [[say("Try again"), () => again(row, row.replace)]]);
      return;
    }
    row.href = answer.href;
    const words = { stored: say("stored"), unchanged: say("was there already, the same"), skipped: say("left out"), exists: say("exists already") };
    const choices = {
      exists: [[say("Store as next version"), () => again(row, "1")], [say("Leave out"), () => { finish(row, "skipped", say("left out"), []); tell(); }]],
    };
    finish(row, answer.state, words[answer.state] || answer.error, choices[answer.state] || []);
  };
  const send = (row) => {
    busy++;
    row.bar.hidden = false;
    row.bar.value = 0;
    row.item.className = "";
    row.state.textContent = "";
    const body = new FormData();
    body.set("name", row.name);
    for (const field of ["media_type", "description", "comment"]) {
      if (form && form.elements[field]) body.set(field, form.elements[field].value);
    }
    body.set("replace", row.replace);
    body.set("file", row.file, row.file.name);
    const request = new XMLHttpRequest();
    request.open("POST", uploadsTo);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) row.bar.value = event.loaded / event.total;
    });
    request.addEventListener("loadend", () => {
      busy--;
      answered(row, request);
      next();
    });
    request.send(body);
  };
  const next = () => {
    while (busy < atOnce && waiting.length > 0) send(waiting.shift());
    tell();
  };

  // add takes files with the names that they are to have, folders in front.
  const add = (files) => {
    if (files.length === 0) return;
    panel.hidden = false;
    panel.replaceChildren(summary, list);
    for (const { file, name } of files) {
      const row = { file, name, replace: form ? form.elements.replace.value : "", done: false };
      row.item = element("li");
      row.state = element("span", "quiet");
      row.bar = element("progress");
      row.bar.setAttribute("aria-label", say("Progress of {1}", name));
      row.buttons = element("span", "uploads-buttons");
      row.item.append(element("span", "break", name), row.bar, row.state, row.buttons);
      list.append(row.item);
      rows.push(row);
      if (file.size > Number(limit)) finish(row, "failed", say("larger than {1}, the limit", limitText), []);
      else waiting.push(row);
    }
    next();
    panel.scrollIntoView({ block: "nearest" });
  };
  window.addEventListener("beforeunload", (event) => {
    if (busy > 0) event.preventDefault();
  });

  if (form) {
    form.addEventListener("submit", (event) => {
      const files = [...form.querySelectorAll("input[type=file]")].flatMap((input) => [...input.files]);
      if (files.length === 0) return; // the server says so
      event.preventDefault();
      const name = form.elements.name.value.trim();
      add(files.map((file) => ({ file, name: files.length === 1 && name ? name : file.webkitRelativePath || file.name })));
      form.querySelectorAll("input[type=file]").forEach((input) => { input.value = ""; });
    });
  } else {
    panel.hidden = false;
  }

  // What is dropped may be folders: they are read with all in them.
  const dropped = async (transfer) => {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
    if (entries.length === 0) return [...transfer.files].map((file) => ({ file, name: file.name }));
    const found = [];
    const walk = async (entry, above) => {
      if (entry.isFile) {
        found.push({ file: await new Promise((ok, no) => { entry.file(ok, no); }), name: above + entry.name });
        return;
      }
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((ok, no) => { reader.readEntries(ok, no); });
        if (some.length === 0) return;
        for (const child of some) await walk(child, `${above}${entry.name}/`);
      }
    };
    for (const entry of entries) await walk(entry, "").catch(() => {});
    return found;
  };
  const hasFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  let depth = 0; // how many elements the pointer entered and did not leave
  const mark = (change) => {
    depth = Math.max(0, change === 0 ? 0 : depth + change);
    document.body.classList.toggle("dropping", depth > 0);
  };
  window.addEventListener("dragenter", (event) => { if (hasFiles(event)) mark(1); });
  window.addEventListener("dragleave", (event) => { if (hasFiles(event)) mark(-1); });
  window.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  window.addEventListener("drop", async (event) => {
    if (!hasFiles(event) || event.target.closest("input[type=file]")) {
      mark(0);
      return;
    }
    event.preventDefault();
    mark(0);
    add(await dropped(event.dataTransfer));
  });
}
