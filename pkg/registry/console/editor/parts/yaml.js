// The language YAML, for the code editor.
import { yamlLanguage } from "@codemirror/lang-yaml";

export const part = yamlLanguage;
