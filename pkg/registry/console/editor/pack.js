// Packs what build.js made as Brotli, into files beside it: at its best quality that takes seconds, for which nobody should wait. Run by `make editor`.
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { brotliCompressSync, constants } from "node:zlib";

const folder = "../static/";
for (const name of await readdir(folder)) if (name.endsWith(".br")) await rm(folder + name);
for (const name of await readdir(folder)) {
  if (!/^editor.*\.js$/.test(name)) continue;
  const text = await readFile(folder + name);
  const params = {
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
  };
  await writeFile(`${folder}${name}.br`, brotliCompressSync(text, { params }));
}
