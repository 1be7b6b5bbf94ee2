// The search of the code editor, and what marks other places with the selected text.
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { keymap } from "@codemirror/view";

export { findNext, findPrevious, gotoLine, openSearchPanel, selectNextOccurrence, selectSelectionMatches } from "@codemirror/search";
export const part = [search({ top: true }), highlightSelectionMatches({ minSelectionLength: 3 }), keymap.of(searchKeymap)];
