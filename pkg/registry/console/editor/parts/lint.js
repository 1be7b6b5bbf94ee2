// The marks of mistakes in the code editor.
import { linter, lintGutter, lintKeymap } from "@codemirror/lint";
import { keymap } from "@codemirror/view";

// marks are made anew a moment after each change, by a function that gives the mistakes of a text.
export const marks = (check) => [lintGutter(), linter((view) => check(view), { delay: 600 }), keymap.of(lintKeymap)];
