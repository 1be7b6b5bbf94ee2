// What somebody may mean appears below a box while they type; arrow keys choose, Escape hides it, and without a choice Enter does what it did.
for (const box of document.querySelectorAll("input[data-suggest]")) {
  box.parentElement.classList.add("suggests");
  const list = document.createElement("ul");
  list.id = `${box.id}-suggestions`;
  list.className = "suggestions";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", say("Suggestions"));
  box.parentElement.append(list);
  box.setAttribute("role", "combobox");
  box.setAttribute("aria-autocomplete", "list");
  box.setAttribute("aria-controls", list.id);
  let chosen = -1;
  let timer = 0;
  let asked = null;

  const show = (open) => {
    list.hidden = !open;
    box.setAttribute("aria-expanded", String(open));
  };
  const choose = (n) => {
    chosen = n;
    [...list.children].forEach((option, i) => option.setAttribute("aria-selected", String(i === n)));
    if (n < 0) box.removeAttribute("aria-activedescendant");
    else box.setAttribute("aria-activedescendant", list.children[n].id);
  };
  const fill = (suggestions) => {
    list.replaceChildren(...suggestions.map((s, i) => {
      const option = document.createElement("li");
      option.id = `${list.id}-${i}`;
      option.setAttribute("role", "option");
      option.dataset.href = s.href;
      option.append(s.text);
      if (s.note) {
        const note = document.createElement("small");
        note.textContent = s.note;
        option.append(" ", note);
      }
      return option;
    }));
    choose(-1);
    show(suggestions.length > 0 && document.activeElement === box);
  };
  const ask = async () => {
    if (asked) asked.abort();
    const turn = asked = new AbortController();
    const answer = await fetch(`${box.dataset.suggest}${box.dataset.suggest.includes("?") ? "&" : "?"}q=${encodeURIComponent(box.value)}`, { redirect: "error", signal: turn.signal }).catch(() => null);
    const suggestions = answer && answer.ok ? await answer.json().catch(() => []) : [];
    if (turn === asked) fill(suggestions);
  };

  // An empty box, or one that nobody typed into yet, suggests where the user was last.
  const remember = () => {
    if (box.value !== "" && box.value !== box.defaultValue) return false;
    fill(recentPlaces().filter((p) => p.path !== box.defaultValue).map((p) => ({ href: p.href, text: p.path, note: say("looked at lately") })));
    return true;
  };

  show(false);
  if (box.id === "location") box.addEventListener("focus", remember);
  box.addEventListener("input", () => {
    clearTimeout(timer);
    if (asked) asked.abort();
    if (box.id === "location" && box.value === "" && remember()) return;
    timer = setTimeout(ask, 150);
  });
  box.addEventListener("keydown", (event) => {
    const count = list.children.length;
    if (list.hidden || count === 0) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      choose(chosen < 0 ? (step > 0 ? 0 : count - 1) : (chosen + step + count) % count);
    } else if (event.key === "Enter" && chosen >= 0) {
      event.preventDefault();
      location.assign(list.children[chosen].dataset.href);
    } else if (event.key === "Escape") {
      show(false);
    }
  });
  list.addEventListener("mousedown", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option) return;
    event.preventDefault();
    location.assign(option.dataset.href);
  });
  box.addEventListener("blur", () => { show(false); });
}
