// The code editor of the console: CodeMirror in the place of each <textarea data-editor>. `make editor` bundles this file and what it imports into
// ../static/editor.js, which only pages with such a field load. The field stays what the form sends; without script it is the editor.
// What not every visit needs is in files of its own, made of parts/, which are loaded when somebody needs them: languages, search, the marks of mistakes.
import { EditorState, Compartment, Prec } from "@codemirror/state";
import { EditorView, keymap, lineNumbers, gutter, highlightActiveLine, highlightActiveLineGutter } from "@codemirror/view";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, foldGutter, foldKeymap, HighlightStyle, indentOnInput, indentUnit, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { tags } from "@lezer/highlight";

// The marks of Markdown, line by line. A whole parser of it would add a tenth to the bundle.
const markdownLanguage = StreamLanguage.define({
  name: "markdown",
  startState: () => ({ fence: "" }),
  token(stream, state) {
    if (stream.sol()) {
      const fence = stream.match(/^ {0,3}(```+|~~~+)/);
      if (fence && (!state.fence || fence[1].startsWith(state.fence))) {
        state.fence = state.fence ? "" : fence[1];
        stream.skipToEnd();
        return "monospace";
      }
      if (!state.fence) {
        if (stream.match(/^ {0,3}#{1,6}(\s.*)?$/)) return "heading";
        if (stream.match(/^ {0,3}(>|[-*+]\s|\d+[.)]\s)/)) return "keyword";
      }
    }
    if (state.fence) {
      stream.skipToEnd();
      return "monospace";
    }
    if (stream.match(/^\\./)) return null;
    if (stream.match(/^`+[^`]*`+/)) return "monospace";
    if (stream.match(/^\*\*[^*\s][^*]*\*\*/)) return "strong";
    if (stream.match(/^[*_][^*_\s][^*_]*[*_]/)) return "emphasis";
    if (stream.match(/^!?\[[^\]]*\](\([^)]*\)|\[[^\]]*\])?/) || stream.match(/^<?https?:\/\/[^\s>)]+>?/)) return "link";
    stream.next();
    stream.match(/^[^\\`*_![<h]+/);
    return null;
  },
});

// What a language is made of comes with its file; until that is there, its texts are plain ones.
const languages = {
  json: { name: "JSON", part: [], load: () => import("./editor-json.js"), checked: true },
  xml: { name: "XML", part: [], load: () => import("./editor-xml.js"), checked: true },
  yaml: { name: "YAML", part: [], load: () => import("./editor-yaml.js") },
  markdown: { name: "Markdown", part: markdownLanguage, prose: true },
  plain: { name: "Plain text", part: [], prose: true },
};

// The keys of the search, and the names of what they do in its file.
const searchKeys = {
  "Mod-f": "openSearchPanel", "F3": "findNext", "Mod-g": "findNext", "Shift-F3": "findPrevious", "Shift-Mod-g": "findPrevious",
  "Mod-Shift-l": "selectSelectionMatches", "Mod-Alt-g": "gotoLine", "Mod-d": "selectNextOccurrence",
};

// What a text is written in: its media type says it, or the ending of its name.
const kinds = [
  ["json", /[/+]json\b/i, /\.(json|jsonld|avsc|har)$/i],
  ["xml", /[/+](xml|wsdl|xsd|wadl)\b/i, /\.(xml|xsd|wsdl|wadl|xslt?|svg|xhtml|pom|wsdd|rng|sch)$/i],
  ["yaml", /[/+](x-)?yaml\b/i, /\.ya?ml$/i],
  ["markdown", /\/markdown\b/i, /\.(md|markdown)$/i],
];
const languageOf = (name, mediaType) => (kinds.find((k) => k[1].test(mediaType)) ?? kinds.find((k) => k[2].test(name)) ?? ["plain"])[0];

// The colours are the style sheet's, which choose by the theme.
const colours = HighlightStyle.define([
  { tag: [tags.comment, tags.processingInstruction, tags.documentMeta], color: "var(--hl-comment)" },
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: "var(--hl-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.attributeValue, tags.monospace], color: "var(--hl-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--hl-number)" },
  { tag: [tags.tagName, tags.definition(tags.propertyName), tags.typeName, tags.link, tags.url], color: "var(--hl-name)" },
  { tag: [tags.attributeName, tags.propertyName, tags.labelName, tags.character], color: "var(--hl-attribute)" },
  { tag: tags.heading, color: "var(--hl-name)", fontWeight: "600" },
  { tag: tags.emphasis, fontStyle: "italic" },
  { tag: tags.strong, fontWeight: "600" },
  { tag: tags.strikethrough, textDecoration: "line-through" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

const theme = EditorView.theme({
  "&": { height: "100%", color: "var(--ink)", backgroundColor: "var(--surface)", fontSize: "0.8125rem" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-content": { padding: "0.5rem 0", caretColor: "var(--ink)" },
  ".cm-line": { padding: "0 0.75rem 0 0.5rem" },
  ".cm-content ::selection": { backgroundColor: "var(--accent-soft)" },
  ".cm-gutters": { backgroundColor: "var(--sunken)", color: "var(--quiet)", borderRight: "1px solid var(--line)" },
  ".cm-lineNumbers .cm-gutterElement": { minWidth: "2.5rem", padding: "0 0.25rem 0 0.5rem" },
  ".cm-activeLine": { backgroundColor: "transparent" },
  "&.cm-focused .cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--hover) 60%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--hover)", color: "var(--ink)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--ok-soft)", color: "var(--ok-soft-ink)", outline: "1px solid var(--ok)" },
  "&.cm-focused .cm-nonmatchingBracket": { backgroundColor: "var(--bad-soft)", color: "var(--bad-soft-ink)" },
  ".cm-selectionMatch": { backgroundColor: "var(--info-soft)" },
  ".cm-searchMatch": { backgroundColor: "var(--warn-soft)", color: "var(--warn-soft-ink)" },
  ".cm-searchMatch-selected": { outline: "2px solid var(--warn)" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--accent-soft)", color: "var(--accent-soft-ink)", border: "0" },
  ".cm-panels": { backgroundColor: "var(--sunken)", color: "var(--ink)" },
  ".cm-panels-top": { borderBottom: "1px solid var(--line)" },
  ".cm-panel.cm-search": { padding: "0.375rem 2rem 0.375rem 0.5rem", fontFamily: "var(--sans)", fontSize: "0.8125rem" },
  ".cm-panel.cm-search label": { fontSize: "0.8125rem" },
  ".cm-textfield": { padding: "0.1875rem 0.375rem", border: "1px solid var(--line-strong)", borderRadius: "4px", backgroundColor: "var(--surface)", color: "var(--ink)", fontSize: "0.8125rem" },
  ".cm-button": { padding: "0.1875rem 0.5rem", border: "1px solid var(--line-strong)", borderRadius: "4px", backgroundImage: "none", backgroundColor: "var(--surface)", color: "var(--ink)", fontSize: "0.8125rem" },
  ".cm-button:active": { backgroundImage: "none", backgroundColor: "var(--hover)" },
  ".cm-panel.cm-search [name=close]": { padding: "0 0.5rem", color: "var(--ink)", fontSize: "1.125rem", cursor: "pointer" },
  ":is(.cm-textfield, .cm-button, [name=close], input):focus-visible": { outline: "2px solid var(--focus)", outlineOffset: "1px" },
  ".cm-tooltip": { border: "1px solid var(--line)", backgroundColor: "var(--surface)", color: "var(--ink)", boxShadow: "var(--shadow)" },
  ".cm-diagnostic": { fontFamily: "var(--sans)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
  // CodeMirror draws these as data: pictures, which the page's policy refuses.
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad)" },
  ".cm-lint-marker-error": { content: "none", width: "0.625rem", height: "0.625rem", marginTop: "0.25rem", borderRadius: "50%", backgroundColor: "var(--bad)" },
  ".cm-lintPoint-error:after": { borderBottomColor: "var(--bad)" },
});

// Left to itself, Chromium writes the colour of what a text replaces into a style attribute, which the page's policy refuses with a report.
const typing = EditorView.domEventHandlers({
  beforeinput(event, view) {
    if (event.inputType !== "insertText" || !event.data || view.composing || view.state.selection.main.empty) return false;
    event.preventDefault();
    view.dispatch(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
    return true;
  },
});

// Texts beyond this are not checked while somebody types.
const maxChecked = 512 << 10;

// The place of the marks of mistakes, so that nothing moves when the first comes.
const markPlace = gutter({ class: "cm-gutter-lint" });

function replace(textarea) {
  const { form } = textarea;
  const nameField = form.elements.namedItem("name");
  const typeField = form.elements.namedItem("media_type");
  const guess = () => languageOf(nameField?.value ?? textarea.dataset.name ?? "", typeField?.value || (textarea.dataset.mediaType ?? ""));
  const label = form.querySelector(`label[for="${textarea.id}"]`);

  // In a shadow tree the editor's own style sheets are adopted ones, which the page's policy allows; in the page they would be <style> elements.
  const host = document.createElement("div");
  host.className = "editor";
  const root = host.attachShadow({ mode: "open" });
  // What is typed here is nobody's shortcut.
  host.addEventListener("keydown", (event) => { event.stopPropagation(); });

  // The page has the bar and the hint already, and their place.
  const bar = form.querySelector(".editor-bar");
  const help = form.querySelector(".editor-hint");
  const choice = bar.querySelector("select");
  const wrap = bar.querySelector("[data-wrap]");
  const find = bar.querySelector("[data-find]");
  const status = bar.querySelector(".editor-status");
  choice.value = guess();

  let wrapping = languages[choice.value].prose;
  const part = new Compartment();
  const wrapped = new Compartment();
  const searching = new Compartment();
  const marking = new Compartment();

  const save = () => {
    form.requestSubmit();
    return true;
  };
  let timer = 0;
  let mistakes = 0;
  const copy = () => {
    clearTimeout(timer);
    if (textarea.value !== view.state.doc.toString()) textarea.value = view.state.doc.toString();
  };

  // A language is loaded when it is chosen, the marks of mistakes when there is one. Without them the text can be written all the same.
  let marks = null;
  const markingOf = ({ checked, check }) => !checked ? [] : marks && check ? marks((v) => v.state.doc.length > maxChecked ? [] : check(v)) : markPlace;
  const lookForMistakes = async () => {
    const { check } = languages[choice.value];
    if (marks || !check || view.state.doc.length > maxChecked || check(view).length === 0) return;
    try {
      ({ marks } = await import("./editor-lint.js"));
    } catch (e) {
      console.warn("The editor goes on without marks of mistakes:", e);
      return;
    }
    show();
  };
  const load = async (language) => {
    if (language.load) {
      try {
        const { part, check } = await language.load();
        Object.assign(language, { part, check, load: undefined });
      } catch (e) {
        console.warn(`The editor goes on without ${language.name}:`, e);
        return;
      }
      show();
      await lookForMistakes();
    }
    if (languages[choice.value] === language) host.dataset.language = choice.value;
  };

  // So is the search, when something is looked for or selected.
  let found;
  const withSearch = async (name) => {
    try {
      found ??= import("./editor-search.js");
      const loaded = await found;
      if (searching.get(view.state).length === 0) view.dispatch({ effects: searching.reconfigure(loaded.part) });
      if (name) loaded[name](view);
    } catch (e) {
      found = undefined;
      console.warn("The editor goes on without its search:", e);
      if (name) status.textContent = "The search could not be loaded. Try again in a moment, or use the browser's own.";
    }
  };
  const searchKeymap = Object.entries(searchKeys).map(([key, name]) => ({ key, preventDefault: true, run: () => {
    if (searching.get(view.state).length > 0) return false; // it has its own keys
    withSearch(name);
    return true;
  } }));

  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: textarea.value,
      extensions: [
        Prec.highest(keymap.of([{ key: "Mod-Enter", run: save }, { key: "Mod-s", run: save, preventDefault: true }])),
        lineNumbers(), foldGutter(), history(), bracketMatching(), indentOnInput(), indentUnit.of("  "), EditorState.tabSize.of(4),
        highlightActiveLine(), highlightActiveLineGutter(),
        searching.of([]), keymap.of([...searchKeymap, ...defaultKeymap, ...historyKeymap, ...foldKeymap, indentWithTab]),
        marking.of(markingOf(languages[choice.value])), part.of(languages[choice.value].part), wrapped.of(wrapping ? EditorView.lineWrapping : []),
        syntaxHighlighting(colours), theme, typing,
        // Text that can be edited takes the focus without a tabindex, but axe-core does not know that, and then misses a way to scroll by keys.
        EditorView.contentAttributes.of({ tabindex: "0", "aria-label": label?.textContent ?? "Text", "aria-description": help.textContent, spellcheck: "false", autocapitalize: "off" }),
        EditorView.updateListener.of((update) => {
          if (!found && update.selectionSet && !update.state.selection.main.empty) withSearch();
          if (!update.docChanged) return;
          textarea.dispatchEvent(new Event("input", { bubbles: true })); // the form has unsaved input
          clearTimeout(timer);
          timer = setTimeout(copy, 300);
          clearTimeout(mistakes);
          if (!marks) mistakes = setTimeout(lookForMistakes, 600);
        }),
      ],
    }),
  });

  const show = () => {
    const language = languages[choice.value];
    wrap.setAttribute("aria-pressed", String(wrapping));
    view.dispatch({ effects: [part.reconfigure(language.part), marking.reconfigure(markingOf(language)), wrapped.reconfigure(wrapping ? EditorView.lineWrapping : [])] });
  };
  const choose = () => {
    show();
    load(languages[choice.value]);
  };
  wrap.addEventListener("click", () => {
    wrapping = !wrapping;
    show();
  });
  find.addEventListener("click", () => { withSearch("openSearchPanel"); });
  choice.addEventListener("change", choose);
  for (const field of [nameField, typeField]) {
    field?.addEventListener("change", () => {
      choice.value = guess();
      choose();
    });
  }

  // The field has the text whenever something looks at it: when the form is sent, and when the page is left, so that Back finds it there.
  form.addEventListener("submit", (event) => {
    copy();
    const limit = Number(textarea.dataset.limit);
    if (limit && new Blob([textarea.value]).size > limit) {
      event.preventDefault();
      event.stopImmediatePropagation();
      status.textContent = `This text is too large to store from here; the limit is ${textarea.dataset.limitText}. Store it with Upload.`;
    }
  }, { capture: true });
  window.addEventListener("pagehide", copy);

  const focused = document.activeElement === textarea;
  textarea.before(host);
  for (const part of [bar, help]) part.classList.add("ready");
  textarea.hidden = true;
  textarea.removeAttribute("autofocus");
  choose();
  label?.addEventListener("click", () => { view.focus(); });
  if (focused) view.focus();
  host.dataset.ready = "";
}

for (const textarea of document.querySelectorAll("textarea[data-editor]")) replace(textarea);
