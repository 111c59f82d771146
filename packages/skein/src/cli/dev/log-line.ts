// A node's log line for people: what is worth a line on the terminal, and how it looks there.

export interface LogLine {
	readonly importance: "usual" | "warning" | "error";
	readonly text: string;
}

const hidden: ReadonlySet<string> = new Set(["level", "time", "msg", "node", "pid", "version"]);

/** Lines that are no JSON (a crash of Node itself) are errors as they are. */
export function readLogLine(line: string): LogLine {
	const fields = parse(line);
	if (fields === null) return { importance: line.trim() === "" ? "usual" : "error", text: line };
	const { level, msg } = fields;
	const message = show(msg);
	const rest = Object.entries(fields).filter(([key]) => !hidden.has(key));
	const details = rest
		.map(([key, value]) => ({ key, text: show(value) }))
		// The message often quotes the error already.
		.filter(({ key, text }) => key !== "error" || !message.includes(text))
		.map(({ key, text }) => `${key}=${text}`)
		.join(" ");
	return {
		importance: level === "error" ? "error" : level === "warn" ? "warning" : "usual",
		text: `${show(level)}: ${message}${details === "" ? "" : ` (${details})`}`,
	};
}

function parse(line: string): Record<string, unknown> | null {
	try {
		const value: unknown = JSON.parse(line);
		return typeof value === "object" && value !== null ? { ...value } : null;
	} catch {
		return null;
	}
}

function show(value: unknown): string {
	if (typeof value === "string") return value;
	if (typeof value === "object" && value !== null && "message" in value) return String(value.message);
	return JSON.stringify(value) ?? "";
}
