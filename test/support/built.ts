/** What was built. `MILLRACE_DIST`: another folder with a whole build, for tests of what is not in `dist/` yet. */
export const built = process.env["MILLRACE_DIST"] ?? new URL("../../dist", import.meta.url).pathname;
