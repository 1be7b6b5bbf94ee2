// Bundles editor.js into ../static/editor.js, and the licences of what went into it into ../static/editor-licences.txt. Run by `make editor`.
import { build } from "esbuild";
import { readdir, readFile, writeFile } from "node:fs/promises";

const { metafile } = await build({
  entryPoints: ["editor.js"], outfile: "../static/editor.js", bundle: true, minify: true, format: "esm", target: ["chrome120", "firefox121", "safari17"],
  legalComments: "none", banner: { js: "// CodeMirror and what it needs, made by `make editor`; see editor-licences.txt beside this file." }, metafile: true, charset: "utf8",
});

const packages = new Set();
for (const [name, { bytesInOutput }] of Object.entries(Object.values(metafile.outputs)[0].inputs)) {
  const found = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(name);
  if (found && bytesInOutput > 0) packages.add(found[1]);
}
let text = "editor.js holds parts of these packages. The code editor itself and how it is made: pkg/registry/console/editor.\n";
for (const name of [...packages].sort()) {
  const folder = `node_modules/${name}`;
  const { version, license } = JSON.parse(await readFile(`${folder}/package.json`, "utf8"));
  const file = (await readdir(folder)).find((f) => /^licen[cs]e/i.test(f));
  if (!file) throw new Error(`${name} has no licence file`);
  text += `\n${"-".repeat(80)}\n${name} ${version} (${license})\n\n${(await readFile(`${folder}/${file}`, "utf8")).trim()}\n`;
}
await writeFile("../static/editor-licences.txt", text);
