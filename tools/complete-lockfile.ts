/**
 * Writes into package-lock.json the optional packages of other platforms. npm leaves them out when a
 * registry mirror does not have them, and `npm ci` then refuses the whole file. They are never
 * fetched here: their platform does not match. Run after every change of the dependencies:
 * `node tools/complete-lockfile.ts`.
 */
import { readFileSync, writeFileSync } from "node:fs";

interface LockedPackage {
	version?: string;
	dev?: boolean;
	optional?: boolean;
	os?: string[];
	cpu?: string[];
	libc?: string[];
	optionalDependencies?: Record<string, string>;
}

interface Lockfile {
	packages: Record<string, LockedPackage>;
}

const systems: readonly string[] = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
const processors: readonly string[] = ["arm64", "arm", "ia32", "ppc64", "riscv64", "s390x", "x64"];

/** The platform that a package's name tells: `@biomejs/cli-linux-arm64-musl`. */
function platformOf(name: string): Pick<LockedPackage, "os" | "cpu" | "libc"> | null {
	const words = (name.split("/").at(-1) ?? "").split("-");
	const os = systems.find((system) => words.includes(system));
	const cpu = processors.find((processor) => words.includes(processor));
	if (os === undefined || cpu === undefined) return null;
	const libc = words.some((word) => word.startsWith("musl")) ? "musl" : "glibc";
	return { os: [os], cpu: [cpu], ...(os === "linux" ? { libc: [libc] } : {}) };
}

const path = "package-lock.json";
const lockfile = JSON.parse(readFileSync(path, "utf8")) as Lockfile;
const { packages } = lockfile;
let added = 0;
for (const { optionalDependencies, dev } of Object.values(packages)) {
	for (const [name, version] of Object.entries(optionalDependencies ?? {})) {
		const key = `node_modules/${name}`;
		const platform = platformOf(name);
		if (packages[key] !== undefined || platform === null) continue;
		packages[key] = { version, ...(dev === true ? { dev } : {}), optional: true, ...platform };
		added++;
	}
}
const sorted = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify({ ...lockfile, packages: sorted }, null, "\t")}\n`);
console.log(`${added} packages of other platforms added to ${path}`);
