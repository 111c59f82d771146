import type { HostPort } from "./options.ts";

export function formatHostPort({ host, port }: HostPort): string {
	return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
