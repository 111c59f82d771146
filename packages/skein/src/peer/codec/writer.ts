/**
 * A cursor that writes the primitives of the wire format into a growing buffer.
 *
 *   u8       one byte
 *   u32      four bytes, little-endian
 *   varint   0 … 2^53-1, seven bits a byte, low bits first, high bit set on all but the last; shortest form only
 *   f64, i64 eight bytes, little-endian
 *   bool     u8, 0 or 1
 *   bytes    varint length, then the bytes
 *   string   varint length in bytes, then UTF-8 (a lone surrogate becomes U+FFFD)
 *   name     u8 length 1 … 64, then bytes of a-z A-Z 0-9 . _ -
 *   option   bool, then the value if true
 *   list     varint count, then the elements
 */
import { WireError } from "./wire-error.ts";

const encoder = new TextEncoder();
const shortStringLength = 48;
/** V8 keeps so few bytes in the array itself; a view of them would first have to give them a buffer of their own. */
const cheaplyCopiedBytes = 64;

export class Writer {
	#buffer: Uint8Array<ArrayBuffer>;
	/** Of the buffer, from when it is first needed. */
	#view: DataView | null = null;
	#length = 0;

	constructor(capacityBytes: number) {
		this.#buffer = new Uint8Array(capacityBytes);
	}

	/** What was written: a view if it is long, so the writer must not be used afterwards. */
	finish(): Uint8Array {
		if (this.#buffer.length <= cheaplyCopiedBytes) return this.#buffer.slice(0, this.#length);
		return this.#buffer.subarray(0, this.#length);
	}

	/** Most messages have no number that needs it, and to make it costs as much as to write a small one. */
	#wide(): DataView {
		this.#view ??= new DataView(this.#buffer.buffer);
		return this.#view;
	}

	/** May replace the buffer: call it in a statement of its own, before that is read. */
	#reserve(sizeBytes: number): number {
		const start = this.#length;
		const end = start + sizeBytes;
		if (end > this.#buffer.length) {
			const larger = new Uint8Array(Math.max(end, this.#buffer.length * 2));
			larger.set(this.#buffer.subarray(0, start));
			this.#buffer = larger;
			this.#view = null;
		}
		this.#length = end;
		return start;
	}

	u8(value: number): void {
		const at = this.#reserve(1);
		this.#buffer[at] = value;
	}

	bool(value: boolean): void {
		this.u8(value ? 1 : 0);
	}

	u32(value: number): void {
		if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
			throw new WireError("not-encodable", `${value} is not an unsigned 32-bit integer`);
		}
		const at = this.#reserve(4);
		this.#buffer[at] = value;
		this.#buffer[at + 1] = value >>> 8;
		this.#buffer[at + 2] = value >>> 16;
		this.#buffer[at + 3] = value >>> 24;
	}

	varint(value: number): void {
		if (!Number.isSafeInteger(value) || value < 0) {
			throw new WireError("not-encodable", `${value} is not a whole number in 0 … 2^53-1`);
		}
		let rest = value;
		// The bit operators know 32 bits only: above, divide.
		while (rest > 0x7fff_ffff) {
			this.u8((rest % 128) | 0x80);
			rest = Math.floor(rest / 128);
		}
		while (rest > 0x7f) {
			this.u8((rest & 0x7f) | 0x80);
			rest >>>= 7;
		}
		this.u8(rest);
	}

	f64(value: number): void {
		const at = this.#reserve(8);
		this.#wide().setFloat64(at, value, true);
	}

	i64(value: bigint): void {
		if (BigInt.asIntN(64, value) !== value) {
			throw new WireError("not-encodable", `${value} does not fit into 64 bits`);
		}
		const at = this.#reserve(8);
		this.#wide().setBigInt64(at, value, true);
	}

	bytes(value: Uint8Array): void {
		this.varint(value.length);
		const at = this.#reserve(value.length);
		this.#buffer.set(value, at);
	}

	string(value: string): void {
		if (value.length <= shortStringLength && this.#shortAscii(value)) return;
		this.bytes(encoder.encode(value));
	}

	/** For most short strings a loop beats the encoder. Writes nothing and says false if one is not ASCII. */
	#shortAscii(value: string): boolean {
		const start = this.#reserve(value.length + 1);
		this.#buffer[start] = value.length;
		for (let index = 0; index < value.length; index++) {
			const code = value.charCodeAt(index);
			if (code > 0x7f) {
				this.#length = start;
				return false;
			}
			this.#buffer[start + 1 + index] = code;
		}
		return true;
	}

	name(value: string): void {
		if (value.length < 1 || value.length > 64) {
			throw new WireError("not-encodable", `a node id has 1 to 64 characters, not ${value.length}`);
		}
		const start = this.#reserve(value.length + 1);
		this.#buffer[start] = value.length;
		for (let index = 0; index < value.length; index++) {
			const code = value.charCodeAt(index);
			if (!isNameByte(code)) {
				throw new WireError("not-encodable", `not a node id: ${JSON.stringify(value)}`);
			}
			this.#buffer[start + 1 + index] = code;
		}
	}

	option<T>(value: T | null | undefined, write: (writer: Writer, value: T) => void): void {
		const present = value !== null && value !== undefined;
		this.bool(present);
		if (present) write(this, value);
	}

	list<T>(values: readonly T[], write: (writer: Writer, value: T) => void): void {
		this.varint(values.length);
		for (const value of values) write(this, value);
	}
}

export function isNameByte(code: number): boolean {
	return (
		(code >= 0x61 && code <= 0x7a) || // a-z
		(code >= 0x41 && code <= 0x5a) || // A-Z
		(code >= 0x30 && code <= 0x39) || // 0-9
		code === 0x2e || // .
		code === 0x5f || // _
		code === 0x2d // -
	);
}
