/** A thread's entry file beside the caller: .ts in the repository, .js once compiled. */
export function workerFile(name: string, caller: string): URL {
	const extension = caller.endsWith(".ts") ? "ts" : "js";
	return new URL(`./${name}.${extension}`, caller);
}
