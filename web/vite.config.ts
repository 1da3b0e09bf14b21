// Built files have plain names: the server sends them with `no-cache`, and a diff of them stays readable.

import { defineConfig } from "vite";

const NOTICE =
  "/*! Contains marked, https://marked.js.org, MIT License, (c) 2018+ MarkedJS, (c) 2011-2018 Christopher Jeffrey */";

export default defineConfig({
  base: "./",
  build: {
    outDir: "../microturn/server/page",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0, // the content security policy knows no data: addresses
    rolldownOptions: {
      input: { page: "index.html", worklets: "src/media/worklets.ts" },
      output: {
        entryFileNames: "[name].js",
        chunkFileNames: "[name].js",
        assetFileNames: "[name][extname]",
        postBanner: ({ name }) => (name === "page" ? NOTICE : ""),
      },
    },
  },
  server: { proxy: { "/v1": { target: "http://127.0.0.1:8710", ws: true }, "/healthz": "http://127.0.0.1:8710" } },
});
