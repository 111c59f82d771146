/**
 * A statement in a payload:
 *
 *   flags: 1 it fires triggers, 2 it has a last rowid
 *   text: 0 and the text, or n: that of the n-th text of this payload
 *   values: their number; each a byte of type and what the type needs, by the number of its parameter
 *   check: changed rows, the last rowid if it has one
 *
 * Numbers are 7 bits a byte, the highest bit says that more follow. Texts and blobs: length, bytes.
 */
import type { Value } from "../program.ts";

export interface LoggedStatement {
	readonly sql: string;
	/** By the number of the parameter. */
	readonly values: readonly Value[];
	/** Followers run it with triggers. */
	readonly firesTriggers: boolean;
	/** What must come out equal: rows it changed by itself, and the last rowid, where it gave one. */
	readonly changes: number;
	readonly lastRowid: bigint | null;
}

const flags = { firesTriggers: 1, hasRowid: 2 } as const;
const types = { null: 0, integer: 1, real: 2, text: 3, blob: 4 } as const;

/** For the statements of one payload, in order: a text that comes again is not written again. */
export function createStatementEncoder(): (statement: LoggedStatement) => Uint8Array {
	const texts = new Map<string, number>();
	return ({ sql, values, firesTriggers, changes, lastRowid }) => {
		const out = createOutput();
		out.number((firesTriggers ? flags.firesTriggers : 0) | (lastRowid === null ? 0 : flags.hasRowid));
		const known = texts.get(sql);
		out.number(known ?? 0);
		if (known === undefined) {
			texts.set(sql, texts.size + 1);
			out.text(sql);
		}
		out.number(values.length);
		for (const value of values) out.value(value);
		out.number(changes);
		if (lastRowid !== null) out.integer(lastRowid);
		return out.bytes();
	};
}

export function createStatementDecoder(): (bytes: Uint8Array) => LoggedStatement {
	const texts: string[] = [];
	return (bytes) => {
		const input = createInput(bytes);
		const flag = input.number();
		const text = input.number();
		if (text === 0) texts.push(input.text());
		const sql = texts[(text === 0 ? texts.length : text) - 1];
		if (sql === undefined)
			throw new Error("a logged statement refers to a text that its payload does not hold");
		const values = Array.from({ length: input.number() }, () => input.value());
		const changes = input.number();
		const lastRowid = (flag & flags.hasRowid) === 0 ? null : input.integer();
		return { sql, values, firesTriggers: (flag & flags.firesTriggers) !== 0, changes, lastRowid };
	};
}

/** About what it takes in a payload. */
export function sizeOfStatement({ sql, values }: LoggedStatement): number {
	return values.reduce((sum: number, value) => sum + sizeOfValue(value), sql.length + 10);
}

function sizeOfValue(value: Value): number {
	return typeof value === "string" || value instanceof Uint8Array ? value.length + 3 : 9;
}

function createOutput() {
	let buffer = new Uint8Array(128);
	let view = new DataView(buffer.buffer);
	let length = 0;

	function room(size: number): number {
		if (length + size > buffer.length) {
			const larger = new Uint8Array(Math.max(buffer.length * 2, length + size));
			larger.set(buffer);
			buffer = larger;
			view = new DataView(buffer.buffer);
		}
		const at = length;
		length += size;
		return at;
	}

	function byte(value: number): void {
		// First the place: it may bring another buffer.
		const at = room(1);
		buffer[at] = value;
	}

	function number(value: number): void {
		let rest = value;
		for (; rest >= 128; rest = Math.floor(rest / 128)) byte((rest % 128) | 128);
		byte(rest);
	}

	function integer(value: bigint): void {
		const at = room(8);
		view.setBigInt64(at, value);
	}

	function blob(bytes: Uint8Array): void {
		number(bytes.length);
		const at = room(bytes.length);
		buffer.set(bytes, at);
	}

	const text = (value: string): void => blob(new TextEncoder().encode(value));

	function value(one: Value): void {
		if (one === null) number(types.null);
		else if (typeof one === "bigint") {
			number(types.integer);
			integer(one);
		} else if (typeof one === "number") {
			number(types.real);
			const at = room(8);
			view.setFloat64(at, one);
		} else if (typeof one === "string") {
			number(types.text);
			text(one);
		} else {
			number(types.blob);
			blob(one);
		}
	}

	return { number, integer, text, value, bytes: () => buffer.subarray(0, length) };
}

function createInput(bytes: Uint8Array) {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	// A byte order mark at the front of a text is a part of it.
	const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
	let offset = 0;

	function take(size: number): number {
		const at = offset;
		offset += size;
		if (offset > bytes.length) throw new Error("a logged statement ends too early");
		return at;
	}

	function number(): number {
		let result = 0;
		for (let factor = 1; ; factor *= 128) {
			const byte = view.getUint8(take(1));
			result += (byte & 127) * factor;
			if (byte < 128) return result;
		}
	}

	function blob(): Uint8Array {
		const length = number();
		const at = take(length);
		return bytes.subarray(at, at + length);
	}

	const integer = (): bigint => view.getBigInt64(take(8));
	const text = (): string => decoder.decode(blob());

	function value(): Value {
		const type = number();
		switch (type) {
			case types.null:
				return null;
			case types.integer:
				return integer();
			case types.real:
				return view.getFloat64(take(8));
			case types.text:
				return text();
			case types.blob:
				return blob();
			default:
				throw new Error(`a value of unknown type ${type} in a logged statement`);
		}
	}

	return { number, integer, text, value };
}
