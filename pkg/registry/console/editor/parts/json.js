// The language JSON, for the code editor.
import { jsonLanguage, jsonParseLinter } from "@codemirror/lang-json";

export const part = jsonLanguage;
export const check = jsonParseLinter();
