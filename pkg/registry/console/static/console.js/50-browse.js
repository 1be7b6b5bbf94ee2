// Selected entries are counted, and a box ticks all.
for (const form of document.querySelectorAll("form[data-selection]")) {
  const all = form.querySelector("[data-all]");
  const boxes = () => [...form.querySelectorAll("tbody .tick input")]; // the list may have been made anew
  const count = form.querySelector(".selection-count");
  const words = count.textContent;
  const show = () => {
    const n = boxes().filter((box) => box.checked).length;
    all.checked = n > 0 && n === boxes().length;
    all.indeterminate = n > 0 && n < boxes().length;
    count.textContent = n > 0 ? say("{1} selected:", n) : words;
  };
  all.hidden = boxes().length === 0;
  all.addEventListener("change", () => {
    for (const box of boxes()) box.checked = all.checked;
    show();
  });
  form.addEventListener("change", show);
  window.addEventListener("pageshow", show); // the browser keeps ticks when one comes back
}

// A part of a page that the server makes, as an element; null where it cannot be had: then the plain link or button does it.
{
  const part = async (address) => {
    const answer = await fetch(address, { redirect: "error" }).catch(() => null);
    if (!answer || !answer.ok) return null;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return page.body.firstElementChild;
  };
  const inPath = (path) => path.split("/").map(encodeURIComponent).join("/");

  // Choosing a place fills the form's field, without a page in between.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[name=pick], button[name=pick_after]");
    const form = button && button.form;
    if (!form || !form.dataset.picks) return;
    event.preventDefault();
    const field = form.elements[form.dataset.picks];
    const old = form.querySelector(".picker");
    const after = button.name === "pick_after";
    const path = after ? old.querySelector("[name=picked]").value : button.value;
    const query = new URLSearchParams();
    if (after) query.set("cursor", button.value);
    if ("picksAll" in form.dataset) query.set("all", "1");
    const picker = await part(`/console/pick${inPath(path)}?${query}`);
    if (!picker) {
      const sent = document.createElement("input"); // the button's own way
      sent.type = "hidden";
      [sent.name, sent.value] = [button.name, button.value];
      form.append(sent);
      form.submit();
      return;
    }
    if (old) old.replaceWith(picker);
    else field.closest(".field").append(picker);
    if (!after) {
      field.value = form.dataset.picksName ? `${path === "/" ? "" : path}/${form.dataset.picksName}` : path;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    picker.querySelector("[aria-current]").focus();
  });

  // The tree opens and closes, and reads what is in a collection when it is first opened.
  const icon = document.querySelector(".tree use");
  const sprite = icon ? icon.getAttribute("href").split("#")[0] : "";
  const toggles = (list) => {
    for (const node of list.querySelectorAll("li[data-tree]")) {
      if (node.querySelector(":scope > .tree-toggle")) continue;
      const toggle = document.createElement("button");
      toggle.type = "button";
      toggle.className = "tree-toggle";
      toggle.setAttribute("aria-expanded", String(Boolean(node.querySelector(":scope > ul"))));
      toggle.setAttribute("aria-label", say("Collections in {1}", node.querySelector("a").textContent.trim()));
      toggle.innerHTML = `<svg class="icon" aria-hidden="true" focusable="false"><use href="${sprite}#next"></use></svg>`;
      node.prepend(toggle);
    }
  };
  const known = (list) => new Set([...list.querySelectorAll(":scope > li > a")].map((link) => link.href));
  for (const tree of document.querySelectorAll(".tree")) {
    toggles(tree);
    tree.addEventListener("click", async (event) => {
      const toggle = event.target.closest(".tree-toggle");
      const more = event.target.closest("[data-tree-more]");
      if (toggle) {
        const node = toggle.parentElement;
        let list = node.querySelector(":scope > ul");
        const open = toggle.getAttribute("aria-expanded") !== "true";
        if (open && !list) {
          list = await part(node.dataset.tree);
          if (!list) {
            location.assign(node.querySelector("a").href);
            return;
          }
          if (list.children.length === 0) {
            const none = document.createElement("li");
            none.className = "tree-none";
            none.textContent = say("no collections");
            list.append(none);
          }
          if (!node.querySelector(":scope > ul")) node.append(list);
          toggles(list);
        }
        toggle.setAttribute("aria-expanded", String(open));
        list.hidden = !open;
      } else if (more) {
        event.preventDefault();
        const item = more.parentElement;
        const list = await part(more.dataset.treeMore);
        if (!list) {
          location.assign(more.href);
          return;
        }
        const shown = known(item.parentElement);
        const added = [...list.children].filter((node) => !shown.has(node.querySelector("a").href));
        item.replaceWith(...added);
        toggles(tree);
        const first = added.length > 0 && added[0].querySelector("a");
        if (first) first.focus();
      }
    });
  }
}
