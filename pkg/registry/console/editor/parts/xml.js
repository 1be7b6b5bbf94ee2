// The language XML, for the code editor.
import { xmlLanguage } from "@codemirror/lang-xml";

export const part = xmlLanguage;

// check tells where a text stops to be well-formed XML, as the browser's own parser sees it. That parser runs and loads nothing.
export function check(view) {
  const { doc } = view.state;
  if (doc.length === 0) return [];
  const failed = new DOMParser().parseFromString(doc.toString(), "application/xml").querySelector("parsererror");
  if (!failed) return [];
  const said = failed.textContent;
  const where = /line(?: number)? (\d+)(?:,| at) column (\d+):?/i.exec(said);
  const line = doc.line(Math.min(Math.max(Number(where?.[1] ?? 1), 1), doc.lines));
  const from = Math.min(line.from + Math.max(Number(where?.[2] ?? 1) - 1, 0), line.to);
  const message = where && said.slice(where.index + where[0].length).split("\n").find((part) => part.trim()) || "It is not well-formed XML.";
  return [{ from, to: Math.min(from + 1, doc.length), severity: "error", message: message.trim() }];
}
