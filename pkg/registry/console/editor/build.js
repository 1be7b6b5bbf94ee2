// Bundles editor.js into ../static/editor.js, each file of parts/ into one beside it that editor.js loads when somebody needs it, and the licences
// of what went into them into ../static/editor-licences.txt. Run by `make editor`.
import { build } from "esbuild";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";

const to = "../static/";
const options = {
  bundle: true, minify: true, format: "esm", target: ["chrome120", "firefox121", "safari17"], legalComments: "none", metafile: true, charset: "utf8", write: false,
  banner: { js: "// CodeMirror and what it needs, made by `make editor`; see editor-licences.txt beside this file." },
};
for (const old of await readdir(to)) if (/^editor.*\.js$/.test(old)) await rm(to + old);

// The parts take what the editor has, too, from the editor itself: there must be one of each. They name what they take by its own name, not by one that
// a minifier chose, so that the parts of one version fit the editor of another while a cluster is upgraded.
const shared = ["@codemirror/state", "@codemirror/view", "@codemirror/language", "@lezer/common", "@lezer/highlight"];
const taken = new Map(); // name -> package
const inputs = [];
for (const file of (await readdir("parts")).sort()) {
  const { outputFiles, metafile } = await build({ ...options, entryPoints: [`parts/${file}`], external: shared, outfile: file });
  inputs.push(metafile);
  const bundle = outputFiles[0].text;
  const isUsed = (name) => bundle.split(new RegExp(`(?<![\\w$.])${name.replaceAll("$", "\\$")}(?![\\w$])`)).length > 2; // not only where it is imported
  const text = bundle.replace(/\bimport\{([^}]*)\}from"(@[^"]+)";/g, (_, list, from) => {
    const names = list.split(",").filter((name) => isUsed(name.split(" as ").at(-1)));
    for (const name of names.map((n) => n.split(" as ")[0])) {
      if ((taken.get(name) ?? from) !== from) throw new Error(`two packages have a ${name}: ${from} and ${taken.get(name)}`);
      taken.set(name, from);
    }
    return names.length > 0 ? `import{${names.join()}}from"./editor.js";` : "";
  });
  if (/\b(from|import)\s*"@/.test(text)) throw new Error(`parts/${file} takes more than names from a shared package`);
  await writeFile(`${to}editor-${file}`, text);
}
const contents = `import "./editor.js";\n${[...taken].sort().map(([name, from]) => `export { ${name} } from "${from}";\n`).join("")}`;
const { outputFiles, metafile } = await build({ ...options, stdin: { contents, resolveDir: "." }, external: ["./editor-*.js"], outfile: "editor.js" });
inputs.push(metafile);
await writeFile(`${to}editor.js`, outputFiles[0].text);

const packages = new Set();
for (const { outputs } of inputs) {
  for (const [name, { bytesInOutput }] of Object.entries(Object.values(outputs)[0].inputs)) {
    const found = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(name);
    if (found && bytesInOutput > 0) packages.add(found[1]);
  }
}
let text = "editor.js and the files beside it whose names begin with editor- hold parts of these packages. The code editor itself and how it is made: pkg/registry/console/editor.\n";
for (const name of [...packages].sort()) {
  const folder = `node_modules/${name}`;
  const { version, license } = JSON.parse(await readFile(`${folder}/package.json`, "utf8"));
  const file = (await readdir(folder)).find((f) => /^licen[cs]e/i.test(f));
  if (!file) throw new Error(`${name} has no licence file`);
  text += `\n${"-".repeat(80)}\n${name} ${version} (${license})\n\n${(await readFile(`${folder}/${file}`, "utf8")).trim()}\n`;
}
await writeFile(`${to}editor-licences.txt`, text);
