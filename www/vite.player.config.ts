// `npm run build:player` makes `dist-player/`: the element as a package for npm.

import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type Plugin, defineConfig } from "vite";

const OUT = "dist-player";

export default defineConfig({
  // What is loaded later is found beside index.js, wherever that is.
  base: "./",
  publicDir: false,
  build: {
    outDir: OUT,
    target: "es2022",
    manifest: true,
    lib: { entry: "player/index.ts", formats: ["es"] },
    rollupOptions: {
      // What index.js shares with what is loaded later stays in it: a file of its own would be one
      // more round trip before anything plays.
      preserveEntrySignatures: "allow-extension",
      output: { entryFileNames: "index.js", chunkFileNames: "[name].js", minify: true },
    },
  },
  plugins: [wasmBeside(), describe()],
});

/** Leaves the module a file beside index.js, which a library would take in as text. */
function wasmBeside(): Plugin {
  return {
    name: "weir-player-wasm",
    enforce: "pre",
    load(id) {
      if (!id.endsWith(".wasm?url")) return undefined;
      const file = id.slice(0, -"?url".length);
      const asset = this.emitFile({ type: "asset", fileName: basename(file), source: readFileSync(file) });
      return `export default import.meta.ROLLUP_FILE_URL_${asset};`;
    },
  };
}

/** Adds what makes a folder of modules a package: types, manifest, licences. */
function describe(): Plugin {
  return {
    name: "weir-player-package",
    closeBundle() {
      execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.player.json"], { stdio: "inherit" });
      nameFiles(join(OUT, "types"));
      for (const file of ["package.json", "README.md"]) copyFileSync(join("player", file), join(OUT, file));
      for (const file of ["LICENSE-APACHE", "LICENSE-MIT"]) copyFileSync(join("..", file), join(OUT, file));
    },
  };
}

/** Node's way to resolve types wants the names of files in full. */
function nameFiles(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.name.endsWith(".d.ts")) continue;
    const path = join(entry.parentPath, entry.name);
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace(/((?:from|import\()\s*"\.{1,2}\/[^"]*?)(?:\.js)?"/g, '$1.js"'));
  }
}
