import { defineConfig } from "vite";

// `npm run dev` plays from a server started with `weir serve`.
const server = process.env["WEIR_URL"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: ["index.html", "watch.html", "embed.html", "golive.html"] },
  },
  server: { proxy: { "/v/": server, "/t/": server, "/api/": { target: server, ws: true } } },
});
