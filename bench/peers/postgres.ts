// PostgreSQL 15 as Debian packages it: a primary and two standbys on this machine, default settings but for
// synchronous_standby_names = 'ANY 1 (…)'; its load is pgbench with prepared statements.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../../test/support/ports.ts";
import { until } from "../../test/support/until.ts";
import { openWorkplace, run } from "../children.ts";
import { waitForQuiet } from "../quiet.ts";

export interface PostgresFigures {
	readonly perSecond: number;
	readonly averageMs: number;
}

export interface Postgres extends AsyncDisposable {
	readonly version: string;
	write(load: { readonly clients: number; readonly seconds: number }): Promise<PostgresFigures>;
}

const binaries = "/usr/lib/postgresql/15/bin";
/** PostgreSQL refuses to run as root. */
const user = "postgres";

export async function openPostgres(): Promise<Postgres> {
	await waitForQuiet();
	const workplace = openWorkplace("postgres");
	const { directory } = workplace;
	// The server's user must reach its folders.
	chmodSync(directory, 0o777);
	const postgres = (program: string, options: readonly string[]): Promise<string> =>
		run(join(binaries, program), options, { directory, user });
	const ports = (await freePorts(3)).map(String);
	const names = ["s0", "s1", "s2"];
	const data = (name: string): string => join(directory, name, "data");
	const started: string[] = [];
	const start = async (name: string, index: number): Promise<void> => {
		const options = `-p ${ports[index]} -c listen_addresses=127.0.0.1 -k ${join(directory, name)}`;
		await postgres("pg_ctl", [
			"start",
			"-w",
			"-s",
			"-D",
			data(name),
			"-o",
			options,
			"-l",
			join(directory, name, "log"),
		]);
		started.push(name);
	};
	const connection = ["-h", "127.0.0.1", "-p", ports[0] ?? "", "-U", user];
	const psql = (sql: string): Promise<string> =>
		postgres("psql", [...connection, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql]);
	const close = async (): Promise<void> => {
		for (const name of started.toReversed()) {
			await postgres("pg_ctl", ["stop", "-s", "-m", "immediate", "-D", data(name)]).catch(() => {});
		}
		await workplace[Symbol.asyncDispose]();
	};
	try {
		for (const name of names) {
			mkdirSync(join(directory, name));
			chmodSync(join(directory, name), 0o777);
		}
		await postgres("initdb", ["-D", data("s0"), "-A", "trust", "--no-sync", "--no-instructions"]);
		await start("s0", 0);
		for (const [index, name] of names.entries()) {
			if (index === 0) continue;
			const from = `host=127.0.0.1 port=${ports[0]} user=${user} application_name=${name}`;
			await postgres("pg_basebackup", ["-D", data(name), "-d", from, "-R", "-X", "stream", "-c", "fast"]);
			await start(name, index);
		}
		await psql("alter system set synchronous_standby_names = 'ANY 1 (s1, s2)'");
		await psql("select pg_reload_conf()");
		await until({ what: "both standbys to stream in quorum", timeoutMs: 20_000 }, async () => {
			const states = await psql(
				"select count(*) from pg_stat_replication where state = 'streaming' and sync_state = 'quorum'",
			);
			return states.trim() === "2";
		});
		await psql("create table bench (id bigint generated always as identity primary key, payload text)");
		const script = join(directory, "insert.sql");
		writeFileSync(script, `insert into bench (payload) values ('${"x".repeat(100)}');\n`, { mode: 0o644 });
		return {
			version: (await postgres("postgres", ["--version"])).trim(),
			async write({ clients, seconds }) {
				const output = await postgres("pgbench", [
					...connection,
					"-n",
					...Object.entries({ "-M": "prepared", "-f": script, "-c": clients, "-j": 2, "-T": seconds })
						.flat()
						.map(String),
					user,
				]);
				return {
					perSecond: Number(/tps = ([\d.]+)/.exec(output)?.[1] ?? Number.NaN),
					averageMs: Number(/latency average = ([\d.]+)/.exec(output)?.[1] ?? Number.NaN),
				};
			},
			[Symbol.asyncDispose]: close,
		};
	} catch (error) {
		await close();
		throw error;
	}
}
